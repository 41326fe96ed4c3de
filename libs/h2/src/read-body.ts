import type { Readable } from "node:stream";
import { AimassError } from "@aimass/core";
import type { BodyMeter } from "./call.ts";

/** The sentence for a body that ended before it was whole. */
export function truncatedBody(): AimassError {
  return new AimassError("CANCELLED", "The request ended before its body was complete.");
}

function oversizeBody(limitBytes: number): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", `The request body is larger than the limit of ${limitBytes} bytes.`, {
    reason: "BODY_TOO_LARGE",
    remedy: "Send less at once, or ask an operator to raise the message limit.",
  });
}

function noRoom(): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", "There is no room for more request bodies now.", {
    reason: "BODIES_TOO_LARGE",
    remedy: "Try again, with fewer or smaller requests at a time.",
    retryAfterMs: 500,
  });
}

/**
 * Collects a body. `isWhole` is asked at its end, because node:http2 reports 'end' for a body cut short too. `declaredBytes` is the content-length, so
 * that an oversize body is refused before it is read.
 */
export function readBody(
  source: Readable,
  options: {
    limitBytes: number;
    declaredBytes: number | undefined;
    isWhole: () => boolean;
    meter: BodyMeter | undefined;
  },
): Promise<Buffer> {
  const { limitBytes, declaredBytes, isWhole, meter } = options;
  if (declaredBytes !== undefined && declaredBytes > limitBytes) return Promise.reject(oversizeBody(limitBytes));
  if (source.destroyed) return Promise.reject(truncatedBody());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = () => {
      source.off("data", onData);
      source.off("end", onEnd);
      source.off("close", onClose);
    };
    const refuse = (error: AimassError) => {
      settle();
      source.pause();
      meter?.remove(size);
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      if (meter?.add(chunk.length) === false) return refuse(noRoom());
      size += chunk.length;
      chunks.push(chunk);
      if (size > limitBytes) refuse(oversizeBody(limitBytes));
    };
    const onEnd = () => {
      if (!isWhole()) return refuse(truncatedBody());
      settle();
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size));
    };
    const onClose = () => refuse(truncatedBody());
    source.on("data", onData);
    source.on("end", onEnd);
    source.on("close", onClose);
  });
}

/** A body piece by piece, with the same check at its end. */
export async function* readChunks(source: Readable, isWhole: () => boolean): AsyncIterable<Buffer> {
  if (source.destroyed) throw truncatedBody();
  try {
    for await (const chunk of source.iterator({ destroyOnReturn: false })) yield chunk as Buffer;
  } catch {
    throw truncatedBody();
  }
  if (!isWhole()) throw truncatedBody();
}
