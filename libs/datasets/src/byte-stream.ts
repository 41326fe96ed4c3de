import type { DataFile } from "./data-file.ts";

/** Bytes from front to back. Whoever made one closes it. */
export interface ByteStream {
  /** Whether all was read. A stream may find that out by a read that brings nothing. */
  readonly ended: boolean;
  /** What follows: about `length` bytes, fewer only at the end. */
  read(length: number, signal: AbortSignal | undefined): Promise<Buffer>;
  close(): void;
}

/** The bytes of a file as they are. */
export class FileStream implements ByteStream {
  readonly #file: DataFile;
  #offset = 0;

  constructor(file: DataFile) {
    this.#file = file;
  }

  get ended(): boolean {
    return this.#offset >= this.#file.sizeBytes;
  }

  async read(length: number, signal: AbortSignal | undefined): Promise<Buffer> {
    const { buffer, byteOffset, byteLength } = await this.#file.read(this.#offset, length, signal);
    this.#offset += byteLength;
    return Buffer.from(buffer, byteOffset, byteLength);
  }

  close(): void {}
}

/** Bytes that are made piece by piece, when they are asked for. */
export class PieceStream implements ByteStream {
  readonly #pieces: AsyncGenerator<Buffer, void>;
  ended = false;

  constructor(pieces: AsyncGenerator<Buffer, void>) {
    this.#pieces = pieces;
  }

  async read(length: number, signal: AbortSignal | undefined): Promise<Buffer> {
    const taken: Buffer[] = [];
    for (let bytes = 0; bytes < length && !this.ended; ) {
      signal?.throwIfAborted();
      const piece = await this.#pieces.next();
      if (piece.done) this.ended = true;
      else {
        taken.push(piece.value);
        bytes += piece.value.length;
      }
    }
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken);
  }

  /** Whoever closes wants no more of it: that what makes the pieces failed to end is nobody's news. */
  close(): void {
    this.ended = true;
    this.#pieces.return().catch(() => {});
  }
}
