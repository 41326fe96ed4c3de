/** Bytes that are copied before others have their turn: a few milliseconds' worth, fresh memory included. */
export const turnBytes = 4 * 1024 * 1024;

/** Lets everything that waits on this thread have its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Joins pieces of `size` bytes together: small ones at once, large ones a few megabytes at a time, letting go of each, because all at once would hold up
 * everything else on this thread. The list is then filled with empty pieces. A lone piece comes back as it is, and stays in the list.
 */
export function joinPieces(pieces: Uint8Array[], size: number): Buffer | Promise<Buffer> {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return asBuffer(only);
  return size < turnBytes ? Buffer.concat(pieces, size) : joinInTurns(pieces, size);
}

/** A copy in memory of its own, made a few megabytes at a time. */
export function copyInTurns(bytes: Uint8Array): Promise<Uint8Array> {
  return joinInTurns([bytes], bytes.byteLength);
}

/** The bytes as they are when their memory holds nothing else, so that it can change hands; else a copy. */
export async function ownMemory(bytes: Uint8Array): Promise<Uint8Array> {
  const { buffer, byteLength } = bytes;
  // A message's prefix may stand in front.
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength - byteLength < 64;
  return isWhole ? bytes : copyInTurns(bytes);
}

async function joinInTurns(pieces: Uint8Array[], size: number): Promise<Buffer> {
  const joined = Buffer.allocUnsafeSlow(size);
  const turns = new CopyTurns();
  let at = 0;
  for (const [i, piece] of pieces.entries()) {
    pieces[i] = none;
    await turns.copy(piece, joined, at);
    at += piece.byteLength;
  }
  return joined;
}

/** Copies that together leave others their turns. */
export class CopyTurns {
  #left = turnBytes;

  async copy(source: Uint8Array, target: Uint8Array, at: number): Promise<void> {
    for (let from = 0; from < source.byteLength; ) {
      const part = source.subarray(from, from + this.#left);
      target.set(part, at + from);
      from += part.byteLength;
      this.#left -= part.byteLength;
      if (this.#left > 0) continue;
      this.#left = turnBytes;
      await nextTurn();
    }
  }
}

const none = new Uint8Array();

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
