import type { DataFile } from "./data-file.ts";

const blockBytes = 256 * 1024;

/**
 * Reads a file front to back into one buffer, keeping what was not consumed in front of what comes next.
 * Each read is at least as long as what is kept, so that a long row is looked at a bounded number of times per byte.
 */
export class BlockReader {
  readonly #file: DataFile;
  readonly #signal: AbortSignal | undefined;
  #offset = 0;
  #buffer: Buffer = Buffer.alloc(0);
  /** Index of the first byte that was not consumed. */
  position = 0;

  constructor(file: DataFile, signal: AbortSignal | undefined) {
    this.#file = file;
    this.#signal = signal;
  }

  /** All bytes at hand; those before `position` are consumed. */
  get bytes(): Buffer {
    return this.#buffer;
  }

  /** Whether the buffer ends where the file ends. */
  get atEnd(): boolean {
    return this.#offset >= this.#file.sizeBytes;
  }

  /** Bytes at hand that were not consumed. */
  get pending(): number {
    return this.#buffer.length - this.position;
  }

  /** Brings in more of the file; invalidates indices into `bytes` other than those relative to `position`, which becomes 0. */
  async more(): Promise<void> {
    const kept = this.#buffer.subarray(this.position);
    const wanted = Math.max(blockBytes, kept.length);
    const next = await this.#file.read(this.#offset, wanted, this.#signal);
    this.#signal?.throwIfAborted();
    this.#offset += next.byteLength;
    this.position = 0;
    const bytes = Buffer.from(next.buffer, next.byteOffset, next.byteLength);
    this.#buffer = kept.length === 0 ? bytes : Buffer.concat([kept, bytes]);
  }
}
