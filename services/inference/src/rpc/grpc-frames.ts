import { AimassError, joinPieces, nextTurn } from "@aimass/core";
import { inflate } from "@aimass/oip";

const prefixBytes = 5;

/** Bytes of a stream's messages that are handed out before others have their turn: what came together would be decoded in one. */
const turnBytes = 256 * 1024;

/** The one message of a unary call's body, unfolded when it is compressed. Throws INVALID_ARGUMENT when the body is no single message. */
export function readUnaryMessage(
  body: Buffer,
  encoding: string | undefined,
  limitBytes: number,
): Uint8Array | Promise<Uint8Array> {
  const length = body.length < prefixBytes ? -1 : body.readUInt32BE(1);
  if (length !== body.length - prefixBytes) {
    throw new AimassError("INVALID_ARGUMENT", "The body is not one gRPC message.", {
      reason: "BAD_FRAME",
      remedy: "A message is a flag byte, its length as four bytes, then the message.",
    });
  }
  return unfolded(body.subarray(prefixBytes), body[0] as number, encoding, limitBytes);
}

/** The messages of a streaming call's body. Throws RESOURCE_EXHAUSTED above the limit, INVALID_ARGUMENT when the last one is cut short. */
export async function* readMessages(
  chunks: AsyncIterable<Buffer>,
  encoding: string | undefined,
  limitBytes: number,
): AsyncIterable<Uint8Array> {
  const parts: Buffer[] = [];
  let held = 0;
  let needed = prefixBytes;
  let sinceTurn = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    held += chunk.length;
    // Joined twice a message: for its length, and when it is whole.
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
      yield await unfolded(all.subarray(prefixBytes, needed), all[0] as number, encoding, limitBytes);
      parts[0] = all.subarray(needed);
      held -= needed;
      needed = prefixBytes;
    }
  }
  if (held > 0)
    throw new AimassError("INVALID_ARGUMENT", "The stream ended inside a message.", { reason: "BAD_FRAME" });
}

function unfolded(
  message: Buffer,
  flag: number,
  encoding: string | undefined,
  limitBytes: number,
): Uint8Array | Promise<Uint8Array> {
  if (flag === 0) return message;
  if (flag === 1 && encoding !== undefined && encoding !== "identity") return inflate(message, encoding, limitBytes);
  throw new AimassError("INVALID_ARGUMENT", "A message is marked as compressed, but the call names no encoding.", {
    reason: "BAD_FRAME",
  });
}

function tooLarge(limitBytes: number): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", `A message is larger than ${limitBytes} bytes.`, {
    reason: "BODY_TOO_LARGE",
  });
}
