import { TermTree } from "./term-tree.ts";

/** Terms kept in memory while counting. */
const capacity = 4_000_000;

/** In how many texts each sequence of up to `longest` tokens occurs. Beyond `capacity` sequences the rarest are forgotten. */
export class DocumentCounts {
  documents = 0;
  tree = new TermTree();
  private counts: number[] = [0];
  private lastSeen: number[] = [0];
  private readonly longest: number;
  private readonly stopWords: ReadonlySet<string>;
  /** Nodes of the sequences that end at the previous token, the shortest first. */
  private open: number[] = [];

  constructor(longest: number, stopWords: ReadonlySet<string>) {
    this.longest = longest;
    this.stopWords = stopWords;
  }

  beginText(): void {
    this.documents++;
    this.open = [];
    if (this.tree.size > capacity) this.forget();
  }

  token(word: string): void {
    if (this.stopWords.has(word)) {
      this.open = [];
      return;
    }
    const number = this.tree.tokenNumber(word);
    for (let i = Math.min(this.open.length, this.longest - 1); i >= 0; i--) {
      const node = this.tree.add(i === 0 ? 0 : (this.open[i - 1] as number), number);
      this.open[i] = node;
      this.seen(node);
    }
  }

  count(node: number): number {
    return this.counts[node] ?? 0;
  }

  merge(other: DocumentCounts): void {
    this.copyFrom(other, 0);
    this.documents += other.documents;
    this.open = [];
  }

  private seen(node: number): void {
    if (this.lastSeen[node] === this.documents) return;
    this.lastSeen[node] = this.documents;
    this.counts[node] = (this.counts[node] ?? 0) + 1;
  }

  /** Keeps the terms in more than the fewest texts that leave half of the room free. A kept term's beginnings are in as many texts, so they stay. */
  private forget(): void {
    const ascending = Float64Array.from(this.counts).sort();
    const cut = ascending[ascending.length - capacity / 2] as number;
    const old = Object.assign(Object.create(DocumentCounts.prototype) as DocumentCounts, this);
    this.tree = new TermTree();
    this.counts = [0];
    this.lastSeen = [0];
    this.copyFrom(old, cut);
  }

  private copyFrom(other: DocumentCounts, cut: number): void {
    const places = new Map<number, number>([[0, 0]]);
    for (let node = 1; node < other.tree.size; node++) {
      if (other.count(node) <= cut) continue;
      const parent = places.get(other.tree.parents[node] as number);
      if (parent === undefined) continue;
      const word = other.tree.wordsOf(node).at(-1) as string;
      const copy = this.tree.add(parent, this.tree.tokenNumber(word));
      places.set(node, copy);
      this.counts[copy] = (this.counts[copy] ?? 0) + other.count(node);
      this.lastSeen[copy] ??= 0;
    }
  }
}
