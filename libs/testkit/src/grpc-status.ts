import type { ClientHttp2Stream } from "node:http2";

/** The gRPC status with which a call ends, read as it comes and whatever comes before it let go; "closed" when it ends without one. */
export function grpcStatusOf(stream: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => {
    const told = (fields: Record<string, unknown>) => {
      if (fields["grpc-status"] !== undefined) resolve(String(fields["grpc-status"]));
    };
    stream
      .on("response", told)
      .on("trailers", told)
      .on("error", () => {})
      .on("close", () => resolve("closed"))
      .resume();
  });
}
