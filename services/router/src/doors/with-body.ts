import type { BodyMeter, ServerCall } from "@aimass/h2";
import type { ReceivedBytes } from "@aimass/rpc";
import { type Decompression, decompress } from "@aimass/rpc";
import type { TracedCaller } from "../pipeline/caller-factory.ts";
import { leastBodyBytes } from "../pipeline/least-pace.ts";

/** A body with what else must be counted with it. */
export interface ReceivedBody {
  readonly body: Buffer;
  readonly meter: BodyMeter;
}

export interface WithBodyOptions {
  readonly call: ServerCall;
  readonly caller: TracedCaller;
  readonly received: ReceivedBytes;
  readonly limitBytes: number;
  /** Milliseconds until the caller's deadline. */
  readonly remainingMs: number;
  /** As in BodyRules. */
  readonly onStart?: (start: Buffer) => void;
}

/** Reads a caller's body by the deadline and counts it for as long as `work` needs it. */
export async function withBody<T>(options: WithBodyOptions, work: (received: ReceivedBody) => Promise<T>): Promise<T> {
  const { call, caller, received, limitBytes, remainingMs, onStart } = options;
  const meter = received.of(caller.principal.id);
  const rules = {
    meter,
    timeoutMs: Math.max(1, remainingMs),
    leastBytes: leastBodyBytes,
    ...(onStart !== undefined && { onStart }),
  };
  const body = await call.body(limitBytes, rules);
  // The memory of a body may change hands.
  const { length } = body;
  try {
    return await work({ body, meter });
  } finally {
    meter.remove(length);
  }
}

/** Decompresses a body and counts what comes of it for as long as `work` needs it. */
export async function withDecompressed<T>(
  body: Buffer,
  options: Decompression,
  work: (plain: Buffer) => Promise<T>,
): Promise<T> {
  const plain = await decompress(body, options);
  const { length } = plain;
  try {
    return await work(plain);
  } finally {
    if (plain !== body) options.meter.remove(length);
  }
}
