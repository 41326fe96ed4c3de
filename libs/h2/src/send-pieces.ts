import type { Writable } from "node:stream";

/** Bytes that a stream is given at a time: TLS encrypts all of it in one go, and the system copies it. */
const sliceBytes = 1024 * 1024;

/** Writes the pieces of a body and ends the stream: at once, or as the peer takes them when they are large. */
export function sendPieces(stream: Writable, pieces: readonly Uint8Array[]): void {
  if (sizeOf(pieces) > sliceBytes) {
    const writer = new PieceWriter(stream);
    void writer.write(pieces);
    writer.end(() => stream.end());
    return;
  }
  for (const piece of pieces.slice(0, -1)) stream.write(piece);
  const last = pieces.at(-1);
  last === undefined ? stream.end() : stream.end(last);
}

/** Writes to a stream in the order of the calls, large pieces a slice at a time, as the peer takes them. */
export class PieceWriter {
  readonly #stream: Writable;
  /** What is still being written in slices. */
  #last: Promise<void> | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  /** Writes pieces with nothing between them. Returns a promise when the peer is slow, or the pieces are large: wait for it before the next ones. */
  write(pieces: readonly Uint8Array[]): Promise<void> | undefined {
    if (this.#last !== undefined || sizeOf(pieces) > sliceBytes) return this.#writeLater(pieces);
    const stream = this.#stream;
    let isFull = false;
    for (const piece of pieces) {
      if (stream.destroyed || stream.writableEnded) return undefined;
      isFull = !stream.write(piece);
    }
    return isFull ? whenWritable(stream) : undefined;
  }

  /** Calls back when all is written. */
  end(finish: () => void): void {
    if (this.#last === undefined) finish();
    else void this.#last.then(finish);
  }

  #writeLater(pieces: readonly Uint8Array[]): Promise<void> {
    const last: Promise<void> = (this.#last ?? Promise.resolve())
      .then(() => writeSlices(this.#stream, pieces))
      .then(() => {
        if (this.#last === last) this.#last = undefined;
      });
    this.#last = last;
    return last;
  }
}

async function writeSlices(stream: Writable, pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) {
    for (let at = 0; at < piece.byteLength; at += sliceBytes) {
      if (stream.destroyed || stream.writableEnded) return;
      if (!stream.write(piece.subarray(at, at + sliceBytes))) await whenWritable(stream);
    }
  }
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
}

/** Resolves when a stream takes more, or never will again. */
export function whenWritable(stream: NodeJS.EventEmitter & { destroyed: boolean }): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) return resolve();
    const settle = () => {
      stream.off("drain", settle);
      stream.off("close", settle);
      resolve();
    };
    stream.on("drain", settle);
    stream.on("close", settle);
  });
}
