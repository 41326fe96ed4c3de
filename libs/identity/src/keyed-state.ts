import { hash } from "node:crypto";

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
  /** Keys in byte order; made by the first digest, kept up to date from then on. */
  #order: string[] | undefined;
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

  *[Symbol.iterator](): IterableIterator<[string, Uint8Array]> {
    for (const [key, { bytes }] of this.#entries) yield [key, bytes];
  }

  set(key: string, bytes: Uint8Array): void {
    if (this.#order !== undefined && !this.#entries.has(key)) this.#order.splice(findPlace(this.#order, key), 0, key);
    const line = Buffer.concat([Buffer.from(key), zero, hash("sha256", bytes, "buffer")]);
    this.#entries.set(key, { bytes, line });
    this.#digest = undefined;
  }

  delete(key: string): boolean {
    if (!this.#entries.delete(key)) return false;
    this.#order?.splice(findPlace(this.#order, key), 1);
    this.#digest = undefined;
    return true;
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

  #computeDigest(): Uint8Array {
    this.#order ??= [...this.#entries.keys()].sort(compareUtf8);
    // One buffer and one hash: an update of the hash for each of 100 000 entries would take ten times as long.
    const lines = this.#order.map((key) => (this.#entries.get(key) as Entry).line);
    return new Uint8Array(hash("sha256", Buffer.concat(lines), "buffer"));
  }
}

/** The digest of entries that are not kept as a KeyedState. Later entries win over earlier ones of the same key. */
export function keyedDigest(entries: Iterable<readonly [string, Uint8Array]>): Uint8Array {
  return new KeyedState(entries).digest();
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
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareUtf8(order[middle] as string, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
