import { AimassError } from "@aimass/core";
import { inflate } from "@aimass/oip";

/** Length of the prefix of a gRPC message: a flag byte and four bytes of length. */
export const prefixBytes = 5;

/** Flag of a gRPC-Web frame that carries trailers. */
const trailerFlag = 0x80;

/** A message with its prefix. */
export function frame(message: Uint8Array, flag = 0): Buffer {
  const framed = Buffer.allocUnsafe(prefixBytes + message.length);
  framed[0] = flag;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, prefixBytes);
  return framed;
}

/** The trailers of a gRPC-Web answer as its last frame. */
export function trailerFrame(trailers: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
  return frame(Buffer.from(lines.join("")), trailerFlag);
}

/**
 * The one message of a unary body, framed and not compressed. Returns the body itself when it is that already.
 * Throws INVALID_ARGUMENT when the body is not exactly one message.
 */
export function readUnaryFrame(
  body: Buffer,
  encoding: string | undefined,
  limitBytes: number,
): Buffer | Promise<Buffer> {
  if (body.length < prefixBytes || body.readUInt32BE(1) !== body.length - prefixBytes) throw badFrame();
  return body[0] === 0 ? body : unfold(body, encoding, limitBytes);
}

/**
 * The messages of a streaming body, each framed and not compressed. Throws RESOURCE_EXHAUSTED for a message above the limit, INVALID_ARGUMENT when the
 * last one is cut short.
 */
export async function* readFrames(
  chunks: AsyncIterable<Buffer>,
  encoding: string | undefined,
  limitBytes: number,
): AsyncIterable<Buffer> {
  const parts: Buffer[] = [];
  let held = 0;
  let needed = prefixBytes;
  for await (const chunk of chunks) {
    parts.push(chunk);
    held += chunk.length;
    while (held >= needed) {
      const all = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
      parts.splice(0, parts.length, all);
      needed = prefixBytes + all.readUInt32BE(1);
      if (needed - prefixBytes > limitBytes) throw tooLarge(limitBytes);
      if (held < needed) break;
      const framed = all.subarray(0, needed);
      yield framed[0] === 0 ? framed : await unfold(framed, encoding, limitBytes);
      parts[0] = all.subarray(needed);
      held -= needed;
      needed = prefixBytes;
    }
  }
  if (held > 0) throw badFrame();
}

async function unfold(framed: Buffer, encoding: string | undefined, limitBytes: number): Promise<Buffer> {
  if (framed[0] !== 1 || encoding === undefined || encoding === "identity") throw badFrame();
  return frame(await inflate(framed.subarray(prefixBytes), encoding, limitBytes));
}

function badFrame(): AimassError {
  return new AimassError("INVALID_ARGUMENT", "The body is not framed as gRPC messages are.", {
    reason: "BAD_FRAME",
    remedy: "A message is a flag byte, its length as four bytes, then its bytes.",
  });
}

function tooLarge(limitBytes: number): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", `A message is larger than the limit of ${limitBytes} bytes.`, {
    reason: "BODY_TOO_LARGE",
    remedy: "Send fewer samples in one request.",
  });
}
