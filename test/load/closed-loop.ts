import { parseAddress, systemClock } from "@aimass/core";
import { Upstream } from "@aimass/h2";

/** Whom to call, and with what. */
export interface LoadTarget {
  /** "host:port". */
  readonly address: string;
  readonly headers: () => Readonly<Record<string, string>>;
  /** A framed ModelInferRequest. */
  readonly body: Uint8Array;
}

/** What a run of load came to. */
export interface LoadResult {
  /** Answers with grpc-status 0 a second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
}

const path = "/inference.GRPCInferenceService/ModelInfer";

/** Keeps `inFlight` calls under way for a while over a few connections, as fast as answers come. Only answers with grpc-status 0 count. */
export async function closedLoop(target: LoadTarget, inFlight: number, seconds: number): Promise<LoadResult> {
  const address = parseAddress(target.address);
  if (address === undefined) throw new Error(`"${target.address}" is not an address.`);
  const upstream = new Upstream({
    address,
    clock: systemClock,
    connections: Math.min(4, inFlight),
    pingTimeoutMs: 10_000,
  });
  while (upstream.state !== "ready") await systemClock.sleep(5);
  const latencies: number[] = [];
  let failed = 0;
  const until = performance.now() + seconds * 1000;
  const call = async () => {
    const headers = { "content-type": "application/grpc", te: "trailers", ...target.headers() };
    while (performance.now() < until) {
      const startedAt = performance.now();
      const result = await upstream.unary({ path, headers, body: target.body }).catch(() => undefined);
      const status = result?.trailers["grpc-status"] ?? result?.headers["grpc-status"];
      if (status === "0") latencies.push(performance.now() - startedAt);
      else failed += 1;
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: inFlight }, call));
  const elapsed = (performance.now() - startedAt) / 1000;
  upstream.close();
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { rate: latencies.length / elapsed, p50: at(0.5), p99: at(0.99), failed };
}
