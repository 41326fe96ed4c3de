import { GRPCInferenceService } from "@aimass/api/inference";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type DemoRow, rawInputs } from "./demo-row.ts";

/** What a phase of traffic came to. */
export interface TrafficReport {
  readonly sent: number;
  readonly failed: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  /** Answers by the version that served. */
  readonly versions: Readonly<Record<string, number>>;
  readonly firstFailure: string | undefined;
}

/** Calls a model again and again, `inFlight` calls at a time, as an ordinary gRPC client does: no retries of its own. */
export class Traffic {
  readonly #stop = new AbortController();
  readonly #workers: Promise<void>[];
  #latencies: number[] = [];
  #versions: Record<string, number> = {};
  #failed = 0;
  #firstFailure: string | undefined;
  #onVersion: ((version: string) => void) | undefined;

  constructor(o: { url: string; apiKey: string; model: string; row: DemoRow; inFlight: number }) {
    const client = createClient(
      GRPCInferenceService,
      createGrpcTransport({
        baseUrl: o.url,
        interceptors: [
          (next) => (request) => {
            request.header.set("authorization", `Bearer ${o.apiKey}`);
            return next(request);
          },
        ],
      }),
    );
    const request = { modelName: o.model, ...rawInputs(o.row) };
    const work = async () => {
      while (!this.#stop.signal.aborted) {
        const startedAt = performance.now();
        try {
          const answer = await client.modelInfer(request, { timeoutMs: 10_000 });
          this.#latencies.push(performance.now() - startedAt);
          this.#versions[answer.modelVersion] = (this.#versions[answer.modelVersion] ?? 0) + 1;
          this.#onVersion?.(answer.modelVersion);
        } catch (error) {
          this.#failed += 1;
          this.#firstFailure ??= (error as Error).message;
        }
      }
    };
    this.#workers = Array.from({ length: o.inFlight }, work);
  }

  /** Resolves when an answer comes from the given version. */
  servedBy(version: string): Promise<void> {
    return new Promise((resolve) => {
      this.#onVersion = (served) => {
        if (served === version) resolve();
      };
    });
  }

  /** What happened since the last report. */
  report(): TrafficReport {
    const sorted = this.#latencies.sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
    const report = {
      sent: sorted.length + this.#failed,
      failed: this.#failed,
      p50: at(0.5),
      p99: at(0.99),
      worst: at(1),
      versions: this.#versions,
      firstFailure: this.#firstFailure,
    };
    this.#latencies = [];
    this.#versions = {};
    this.#failed = 0;
    this.#firstFailure = undefined;
    return report;
  }

  /** Sends no more and waits for what is under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#workers);
  }
}
