import type { ServerCall } from "@aimass/h2";
import type { TracedCaller } from "../pipeline/caller-factory.ts";
import type { ReceivedBytes } from "../pipeline/received-bytes.ts";

/** Reads a caller's body and counts it for as long as `work` needs it. */
export async function withBody<T>(
  options: { call: ServerCall; caller: TracedCaller; received: ReceivedBytes; limitBytes: number },
  work: (body: Buffer) => Promise<T>,
): Promise<T> {
  const meter = options.received.of(options.caller.principal.id);
  const body = await options.call.body(options.limitBytes, meter);
  try {
    return await work(body);
  } finally {
    meter.remove(body.length);
  }
}
