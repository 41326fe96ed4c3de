import { createHash } from "node:crypto";
import type { Pieces } from "@aimass/core";

/** A block is divided when it has so many keys: few enough to make anew for each change, enough that a hash has few updates. */
const mostKeys = 1024;

interface Block {
  readonly keys: string[];
  /** The lines of the keys, one after the other; undefined after a change. */
  bytes: Buffer | undefined;
}

/**
 * Keys in byte order with what their lines hash to. Kept in blocks, so that after a change one block is put together anew and not the whole: what remains
 * to be done for each change is one SHA-256 over all bytes.
 */
export class SortedLines {
  readonly #line: (key: string) => Buffer;
  readonly #blocks: Block[] = [];

  /** `line` gives the bytes of a key that is held. */
  constructor(keys: Iterable<string>, line: (key: string) => Buffer) {
    this.#line = line;
    const sorted = [...keys].sort(compareUtf8);
    for (let from = 0; from < sorted.length; from += mostKeys / 2)
      this.#blocks.push({ keys: sorted.slice(from, from + mostKeys / 2), bytes: undefined });
  }

  add(key: string): void {
    const at = this.#blockOf(key);
    const block = this.#blocks[at];
    if (block === undefined) {
      this.#blocks.push({ keys: [key], bytes: undefined });
      return;
    }
    block.keys.splice(findPlace(block.keys, key), 0, key);
    block.bytes = undefined;
    if (block.keys.length < mostKeys) return;
    this.#blocks.splice(at + 1, 0, { keys: block.keys.splice(mostKeys / 2), bytes: undefined });
  }

  /** Says that the line of a key that is held is another one now. */
  touch(key: string): void {
    const block = this.#blocks[this.#blockOf(key)];
    if (block !== undefined) block.bytes = undefined;
  }

  /** Removes a key that is held. */
  remove(key: string): void {
    const at = this.#blockOf(key);
    const block = this.#blocks[at];
    if (block === undefined) return;
    block.keys.splice(findPlace(block.keys, key), 1);
    block.bytes = undefined;
    if (block.keys.length === 0) this.#blocks.splice(at, 1);
  }

  /** SHA-256 over all lines in order. */
  sha256(): Uint8Array {
    const hash = createHash("sha256");
    for (const block of this.#blocks) hash.update(this.#bytesOf(block));
    return new Uint8Array(hash.digest());
  }

  /** Puts the blocks together that have changed, which is most of the work of the next `sha256`. */
  *prepare(): Pieces<void> {
    for (const block of this.#blocks) {
      if (block.bytes !== undefined) continue;
      this.#bytesOf(block);
      yield;
    }
  }

  #bytesOf(block: Block): Buffer {
    block.bytes ??= Buffer.concat(block.keys.map(this.#line));
    return block.bytes;
  }

  /** The block that a key is in, or belongs in: the first that does not end before it, else the last. */
  #blockOf(key: string): number {
    const at = lowerBound(
      this.#blocks.length,
      (i) => compareUtf8((this.#blocks[i] as Block).keys.at(-1) ?? "", key) < 0,
    );
    return Math.max(0, Math.min(at, this.#blocks.length - 1));
  }
}

/** Orders texts as their UTF-8 bytes are ordered. Differs from `<` only where surrogates meet U+E000 to U+FFFF. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

/** Where a key stands in an ordered list, or would stand. */
function findPlace(order: readonly string[], key: string): number {
  return lowerBound(order.length, (i) => compareUtf8(order[i] as string, key) < 0);
}

/** How many of the first indices are `before`, which is true up to some index and false from there on. */
function lowerBound(length: number, before: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (before(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
