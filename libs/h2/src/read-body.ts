import type { Readable } from "node:stream";
import { AimassError, joinPieces } from "@aimass/core";
import type { BodyRules } from "./call.ts";

/** A body's beginning, of which `onStart` may judge. */
const startBytes = 64 * 1024;

/** How long the rate of a body is looked at. */
const rateWindowMs = 10_000;

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

/** A body that was not whole by its deadline. */
export function tooLate(timeoutMs: number): AimassError {
  return new AimassError("DEADLINE_EXCEEDED", `The request body did not come within ${Math.round(timeoutMs)} ms.`, {
    reason: "BODY_TOO_LATE",
    remedy: "Allow more time, or send less at once.",
  });
}

/** A body that came at less than its least pace. */
export function tooSlow(leastBytes: number, windowMs: number): AimassError {
  const message = `The request body came at less than ${leastBytes} bytes in ${windowMs / 1000} seconds.`;
  return new AimassError("DEADLINE_EXCEEDED", message, {
    reason: "BODY_TOO_SLOW",
    remedy: "Begin a request when its body is at hand.",
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
    rules: BodyRules;
  },
): Promise<Buffer> {
  const { limitBytes, declaredBytes, isWhole, rules } = options;
  const { meter, onStart } = rules;
  if (declaredBytes !== undefined && declaredBytes > limitBytes) return Promise.reject(oversizeBody(limitBytes));
  if (source.destroyed) return Promise.reject(truncatedBody());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let isStartJudged = onStart === undefined;
    const settle = () => {
      pace[Symbol.dispose]();
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
    const judgeStart = () => {
      isStartJudged = true;
      try {
        onStart?.(Buffer.concat(chunks).subarray(0, startBytes));
      } catch (error) {
        refuse(AimassError.from(error));
      }
    };
    const onData = (chunk: Buffer) => {
      if (meter?.add(chunk.length) === false) return refuse(noRoom());
      size += chunk.length;
      chunks.push(chunk);
      if (size > limitBytes) refuse(oversizeBody(limitBytes));
      else if (!isStartJudged && size >= startBytes) judgeStart();
    };
    const onEnd = () => {
      if (!isWhole()) return refuse(truncatedBody());
      settle();
      resolve(joinPieces(chunks, size));
    };
    const onClose = () => refuse(truncatedBody());
    const pace = watchPace(rules, { size: () => size, refuse });
    source.on("data", onData);
    source.on("end", onEnd);
    source.on("close", onClose);
  });
}

/** Refuses a body that takes too long, or comes too slowly. */
function watchPace(
  { timeoutMs, leastBytes }: BodyRules,
  body: { readonly size: () => number; readonly refuse: (error: AimassError) => void },
): Disposable {
  let seen = 0;
  const look = (least: number) => {
    if (body.size() - seen < least) body.refuse(tooSlow(least, rateWindowMs));
    seen = body.size();
  };
  const timers: NodeJS.Timeout[] = [];
  if (timeoutMs !== undefined) {
    timers.push(setTimeout(() => body.refuse(tooLate(timeoutMs)), Math.min(timeoutMs, 2 ** 31 - 1)));
  }
  if (leastBytes !== undefined) timers.push(setInterval(() => look(leastBytes), rateWindowMs));
  for (const timer of timers) timer.unref();
  return {
    [Symbol.dispose]: () => {
      for (const timer of timers) clearInterval(timer);
    },
  };
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
