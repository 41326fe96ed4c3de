import type { Counter, Histogram, Metrics } from "@aimass/telemetry";
import type { DescMethod } from "@bufbuild/protobuf";

/** What is counted of the calls of one side. */
export class RpcMetrics {
  readonly #requests: Counter;
  readonly #seconds: Histogram;

  constructor(metrics: Metrics, side: "server" | "client") {
    const labels = ["service", "method"];
    this.#requests = metrics.counter(`aimass_rpc_${side}_requests_total`, {
      help: `RPCs that ended, ${side} side, by gRPC code.`,
      labels: [...labels, "code"],
    });
    this.#seconds = metrics.histogram(`aimass_rpc_${side}_request_seconds`, {
      help: `Time from start to end of RPCs, ${side} side; streams count as long as they lived.`,
      labels,
    });
  }

  ended(method: DescMethod, code: string, ms: number): void {
    const labels = { service: method.parent.typeName, method: method.name };
    this.#requests.add(1, { ...labels, code });
    this.#seconds.record(ms / 1000, labels);
  }
}
