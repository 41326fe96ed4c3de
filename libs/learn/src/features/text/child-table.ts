/** Numbers of an entry: node, token, child. */
const width = 3;

/** For pairs of a node and a token the child of that node: open addressing over one typed array, which is several times as fast as a Map. */
export class ChildTable {
  private entries = new Int32Array(64 * width);
  private mask = 63;
  private size = 0;

  /** The child; 0 if there is none. */
  find(node: number, token: number): number {
    return this.entries[this.placeOf(node, token) + 2] as number;
  }

  /** Adds a child, above 0, of a pair that has none. */
  add(node: number, token: number, child: number): void {
    if (++this.size * 4 > (this.mask + 1) * 3) this.grow();
    this.put(node, token, child);
  }

  private put(node: number, token: number, child: number): void {
    const at = this.placeOf(node, token);
    this.entries[at] = node;
    this.entries[at + 1] = token;
    this.entries[at + 2] = child;
  }

  /** Where the pair is, or where it would be: an entry without a child. */
  private placeOf(node: number, token: number): number {
    const { entries, mask } = this;
    for (let slot = hash(node, token) & mask; ; slot = (slot + 1) & mask) {
      const at = slot * width;
      if (entries[at + 2] === 0 || (entries[at] === node && entries[at + 1] === token)) return at;
    }
  }

  private grow(): void {
    const old = this.entries;
    this.entries = new Int32Array(2 * old.length);
    this.mask = 2 * this.mask + 1;
    for (let at = 0; at < old.length; at += width) {
      if (old[at + 2] !== 0) this.put(old[at] as number, old[at + 1] as number, old[at + 2] as number);
    }
  }
}

/** Spreads pairs over 32 bits (the finaliser of MurmurHash3). */
function hash(node: number, token: number): number {
  let h = Math.imul(node, 0x9e37_79b1) ^ token;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
