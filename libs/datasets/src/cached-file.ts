import type { DataFile } from "./data-file.ts";

export interface CacheOptions {
  /** Bytes fetched at a time. Default 1 MiB. */
  readonly blockBytes?: number;
  /** Blocks kept, the least recently used of which goes first. Default 32. */
  readonly blocks?: number;
}

/**
 * A file whose reads are slow, such as an object in a store, read in whole blocks of which some are kept. Who reads front to back finds the next block on its way.
 * Memory: `blocks` × `blockBytes`, and what is read. Disposing of it disposes of the source.
 */
export function cachedFile(source: DataFile, options: CacheOptions = {}): DataFile {
  const cache = new BlockCache(source, options.blockBytes ?? 1024 * 1024, options.blocks ?? 32);
  return {
    sizeBytes: source.sizeBytes,
    read: (offset, length, signal) => cache.read(offset, length, signal),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

class BlockCache {
  readonly #source: DataFile;
  readonly #blockBytes: number;
  readonly #capacity: number;
  /** By number, least recently used first. */
  readonly #blocks = new Map<number, Promise<Uint8Array>>();

  constructor(source: DataFile, blockBytes: number, capacity: number) {
    this.#source = source;
    this.#blockBytes = blockBytes;
    this.#capacity = Math.max(2, capacity);
  }

  async read(offset: number, length: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const end = Math.min(offset + length, this.#source.sizeBytes);
    if (end <= offset) return new Uint8Array(0);
    const bytes = new Uint8Array(end - offset);
    for (let at = offset; at < end; ) {
      signal?.throwIfAborted();
      const number = Math.floor(at / this.#blockBytes);
      const block = await this.#block(number);
      const from = at - number * this.#blockBytes;
      const part = block.subarray(from, from + end - at);
      bytes.set(part, at - offset);
      at += part.byteLength;
    }
    signal?.throwIfAborted();
    return bytes;
  }

  #block(number: number): Promise<Uint8Array> {
    const sequential = this.#blocks.has(number - 1);
    const block = this.#fetch(number);
    if (sequential && (number + 1) * this.#blockBytes < this.#source.sizeBytes) this.#fetch(number + 1);
    return block;
  }

  /** A block may be wanted by several readers, so that no one reader's signal ends its fetch. One that failed is fetched anew when it is wanted again. */
  #fetch(number: number): Promise<Uint8Array> {
    const known = this.#blocks.get(number);
    this.#blocks.delete(number);
    const block = known ?? this.#source.read(number * this.#blockBytes, this.#lengthOf(number));
    this.#blocks.set(number, block);
    if (known === undefined) {
      block.catch(() => {
        if (this.#blocks.get(number) === block) this.#blocks.delete(number);
      });
      this.#makeRoom();
    }
    return block;
  }

  #lengthOf(number: number): number {
    return Math.min(this.#blockBytes, this.#source.sizeBytes - number * this.#blockBytes);
  }

  #makeRoom(): void {
    for (const number of this.#blocks.keys()) {
      if (this.#blocks.size <= this.#capacity) return;
      this.#blocks.delete(number);
    }
  }
}
