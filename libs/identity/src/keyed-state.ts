import { hash } from "node:crypto";
import type { Pieces } from "@aimass/core";
import { SortedLines } from "./sorted-lines.ts";

const zero = Buffer.from([0]);

/** What to do to one keyed state to get another. */
export interface KeyedDifference {
  readonly changed: ReadonlyMap<string, Uint8Array>;
  readonly removed: readonly string[];
}

interface Entry {
  readonly bytes: Uint8Array;
  /** key ‖ 0x00 ‖ SHA-256(bytes): this entry's part of the digest. */
  readonly line: Buffer;
}

/**
 * A map from key to bytes whose digest two sides compare to know that they hold the same: SHA-256 over `key ‖ 0x00 ‖ SHA-256(bytes)` of all entries in
 * ascending byte order of their keys. The digest is kept until the next change; each entry is hashed once.
 */
export class KeyedState {
  readonly #entries = new Map<string, Entry>();
  /** Made by the first digest, kept up to date from then on. */
  #lines: SortedLines | undefined;
  #digest: Uint8Array | undefined;

  constructor(entries: Iterable<readonly [string, Uint8Array]> = []) {
    for (const [key, bytes] of entries) this.set(key, bytes);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Uint8Array | undefined {
    return this.#entries.get(key)?.bytes;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** What is held under the keys, in no order. */
  values(): Uint8Array[] {
    return Array.from(this.#entries.values(), ({ bytes }) => bytes);
  }

  *[Symbol.iterator](): IterableIterator<[string, Uint8Array]> {
    for (const [key, { bytes }] of this.#entries) yield [key, bytes];
  }

  set(key: string, bytes: Uint8Array): void {
    this.#put(key, { bytes, line: Buffer.concat([Buffer.from(key), zero, hash("sha256", bytes, "buffer")]) });
  }

  delete(key: string): boolean {
    if (!this.#entries.delete(key)) return false;
    this.#lines?.remove(key);
    this.#digest = undefined;
    return true;
  }

  /** Takes over what another state holds under a key, without hashing it again. */
  adopt(key: string, from: KeyedState): void {
    const entry = from.#entries.get(key);
    if (entry !== undefined) this.#put(key, entry);
  }

  /** `digest`, its work in pieces. For a state that is filled in pieces too: keys are put in order as they come. */
  *digestInPieces(): Pieces<Uint8Array> {
    this.#lines ??= this.#sortLines();
    yield* this.#lines.prepare();
    return this.digest();
  }

  /** Puts keys in order as they come from now on, and not all at once for the first digest. */
  keepOrder(): void {
    this.#lines ??= this.#sortLines();
  }

  /** The digest of the whole state, 32 bytes. */
  digest(): Uint8Array {
    this.#digest ??= this.#computeDigest();
    return this.#digest;
  }

  /** What turns `before` into `after`. */
  static diff(before: KeyedState, after: KeyedState): KeyedDifference {
    const changed = new Map<string, Uint8Array>();
    for (const [key, entry] of after.#entries) {
      const old = before.#entries.get(key);
      if (old === undefined || !old.line.equals(entry.line)) changed.set(key, entry.bytes);
    }
    return { changed, removed: [...before.#entries.keys()].filter((key) => !after.#entries.has(key)) };
  }

  /** Makes a difference real. Returns the difference that takes it back. */
  apply(difference: KeyedDifference): KeyedDifference {
    const changed = new Map<string, Uint8Array>();
    const removed = new Set<string>();
    const remember = (key: string) => {
      if (changed.has(key) || removed.has(key)) return;
      const bytes = this.get(key);
      if (bytes === undefined) removed.add(key);
      else changed.set(key, bytes);
    };
    for (const key of difference.removed) {
      remember(key);
      this.delete(key);
    }
    for (const [key, bytes] of difference.changed) {
      remember(key);
      this.set(key, bytes);
    }
    return { changed, removed: [...removed] };
  }

  #put(key: string, entry: Entry): void {
    if (this.#entries.has(key)) this.#lines?.touch(key);
    else this.#lines?.add(key);
    this.#entries.set(key, entry);
    this.#digest = undefined;
  }

  #computeDigest(): Uint8Array {
    this.#lines ??= this.#sortLines();
    return this.#lines.sha256();
  }

  #sortLines(): SortedLines {
    return new SortedLines(this.#entries.keys(), (key) => (this.#entries.get(key) as Entry).line);
  }
}

/** The digest of entries that are not kept as a KeyedState. Later entries win over earlier ones of the same key. */
export function keyedDigest(entries: Iterable<readonly [string, Uint8Array]>): Uint8Array {
  return new KeyedState(entries).digest();
}
