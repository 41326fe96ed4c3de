import { AimassError, joinPieces, nextTurn } from "@aimass/core";
import type { BodyMeter } from "@aimass/h2";
import { type Decompression, decompress } from "@aimass/rpc";

/** Length of the prefix of a gRPC message: a flag byte and four bytes of length. */
export const prefixBytes = 5;

/** Bytes of a stream's messages that are handed out before others have their turn: what came together would be looked at in one. */
const turnBytes = 256 * 1024;

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

/** `frame` for messages of any size: a large one is copied in turns. */
export function frameInTurns(message: Uint8Array): Buffer | Promise<Buffer> {
  return joinPieces([framePrefix(message.length), message], prefixBytes + message.length);
}

/** What stands in front of a message of so many bytes. */
export function framePrefix(length: number): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(length, 1);
  return prefix;
}

/** The trailers of a gRPC-Web answer as its last frame. */
export function trailerFrame(trailers: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
  return frame(Buffer.from(lines.join("")), trailerFlag);
}

/** Throws INVALID_ARGUMENT when a body is not exactly one framed message. */
export function assertUnaryFrame(body: Buffer): void {
  if (body.length < prefixBytes || body.readUInt32BE(1) !== body.length - prefixBytes) throw badFrame();
}

/**
 * The messages of a streaming body, each framed and as it came, counted by the meter from their first byte on; who reads them removes them. Throws
 * RESOURCE_EXHAUSTED for a message above the limit or without room, INVALID_ARGUMENT when the last one is cut short.
 */
export async function* readFrames(
  chunks: AsyncIterable<Buffer>,
  { limitBytes, meter }: { readonly limitBytes: number; readonly meter: BodyMeter },
): AsyncIterable<Buffer> {
  let held = 0;
  try {
    for await (const framed of splitFrames(chunks, limitBytes, (bytes) => {
      if (!meter.add(bytes)) throw noRoom();
      held += bytes;
    })) {
      held -= framed.length;
      yield framed;
    }
  } finally {
    meter.remove(held);
  }
}

async function* splitFrames(
  chunks: AsyncIterable<Buffer>,
  limitBytes: number,
  take: (bytes: number) => void,
): AsyncIterable<Buffer> {
  const parts: Buffer[] = [];
  let held = 0;
  let needed = prefixBytes;
  let sinceTurn = 0;
  for await (const chunk of chunks) {
    take(chunk.length);
    parts.push(chunk);
    held += chunk.length;
    while (held >= needed) {
      const all = await joinPieces(parts.splice(0), held);
      parts.push(all);
      needed = prefixBytes + all.readUInt32BE(1);
      if (needed - prefixBytes > limitBytes) throw tooLarge(limitBytes);
      if (held < needed) break;
      sinceTurn += needed;
      if (sinceTurn > turnBytes) {
        sinceTurn = 0;
        await nextTurn();
      }
      const framed = all.subarray(0, needed);
      yield framed;
      parts[0] = all.subarray(needed);
      held -= needed;
      needed = prefixBytes;
    }
  }
  if (held > 0) throw badFrame();
}

/** A framed message that is not compressed. The meter counts what was decompressed, without its prefix. */
async function plainFrame(framed: Buffer, options: Decompression): Promise<Buffer> {
  const { encoding } = options;
  if (framed[0] !== 1 || encoding === undefined || encoding === "identity") throw badFrame();
  return frameInTurns(await decompress(framed.subarray(prefixBytes), options));
}

/** Works with a framed message that is not compressed, counted for as long. */
export async function withPlainFrame<T>(
  framed: Buffer,
  options: Decompression,
  work: (plain: Buffer) => Promise<T>,
): Promise<T> {
  const plain = framed[0] === 0 ? framed : await plainFrame(framed, options);
  const { length } = plain;
  try {
    return await work(plain);
  } finally {
    if (plain !== framed) options.meter.remove(length - prefixBytes);
  }
}

function noRoom(): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", "There is no room for more request bodies now.", { retryAfterMs: 500 });
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
