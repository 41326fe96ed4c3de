import type { ByteStream } from "./byte-stream.ts";

const blockBytes = 256 * 1024;

/**
 * Reads a file front to back into one buffer, keeping what was not consumed in front of what comes next.
 * Each read is at least as long as what is kept, so that a long row is looked at a bounded number of times per byte.
 */
export class BlockReader {
  readonly #source: ByteStream;
  readonly #signal: AbortSignal | undefined;
  #buffer: Buffer = Buffer.alloc(0);
  /** Index of the first byte that was not consumed. */
  position = 0;

  constructor(source: ByteStream, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  /** All bytes at hand; those before `position` are consumed. */
  get bytes(): Buffer {
    return this.#buffer;
  }

  /** Whether the buffer ends where the file ends. */
  get atEnd(): boolean {
    return this.#source.ended;
  }

  /** Bytes at hand that were not consumed. */
  get pending(): number {
    return this.#buffer.length - this.position;
  }

  close(): void {
    this.#source.close();
  }

  /** Brings in more of the file; invalidates indices into `bytes` other than those relative to `position`, which becomes 0. */
  async more(): Promise<void> {
    const kept = this.#buffer.subarray(this.position);
    const wanted = Math.max(blockBytes, kept.length);
    const bytes = await this.#source.read(wanted, this.#signal);
    this.#signal?.throwIfAborted();
    this.position = 0;
    this.#buffer = kept.length === 0 ? bytes : Buffer.concat([kept, bytes]);
  }
}
