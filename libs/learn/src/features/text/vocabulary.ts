import type { CsrBuilder } from "../csr-builder.ts";
import type { DocumentCounts } from "./document-counts.ts";
import { nodesInOrder, TermTree } from "./term-tree.ts";

export interface VocabularyLimits {
  readonly shortest: number;
  readonly minDocuments: number;
  readonly maxDocumentShare: number;
  readonly maxTerms: number;
}

/** A term: its tokens and the number of texts it was in. */
export interface Term {
  readonly words: readonly string[];
  readonly documents: number;
}

/** The terms worth a feature: those in most texts within the limits, the shorter ones first, then in the order of their words. */
export function chooseTerms(counts: DocumentCounts, limits: VocabularyLimits): Term[] {
  const { tree } = counts;
  const most = limits.maxDocumentShare * counts.documents;
  const fits = (node: number) =>
    (tree.lengths[node] as number) >= limits.shortest &&
    counts.count(node) >= limits.minDocuments &&
    counts.count(node) <= most;
  const cut = cutAt(counts, fits, limits.maxTerms);
  const ordered = nodesInOrder(tree, (node) => counts.count(node) >= cut.count).filter(fits);
  let room = cut.room;
  const kept = ordered.filter((node) => counts.count(node) > cut.count || room-- > 0);
  return kept.map((node) => ({ words: tree.wordsOf(node), documents: counts.count(node) }));
}

/** The smallest number of texts a kept term is in, and how many terms in just as many are kept. */
function cutAt(
  counts: DocumentCounts,
  fits: (node: number) => boolean,
  maxTerms: number,
): { count: number; room: number } {
  const ascending = Float64Array.from({ length: counts.tree.size }, (_, node) =>
    fits(node) ? counts.count(node) : 0,
  ).sort();
  const count = Math.max(1, ascending[ascending.length - maxTerms] ?? 1);
  const above = ascending.length - ascending.findLastIndex((other) => other <= count) - 1;
  return { count, room: maxTerms - above };
}
/** Counts the terms of texts. */
export class TermCounter {
  private readonly tree = new TermTree();
  /** For each node the column of its term; -1 for a mere beginning of one. */
  private readonly columns: Int32Array;
  private readonly longest: number;
  private readonly counts: Float64Array;
  private readonly touched: number[] = [];
  private open: number[] = [];

  /** Terms of small weight, which are the frequent ones, are kept side by side, where the processor's cache holds them. */
  constructor(terms: readonly (readonly string[])[], weights: Float32Array) {
    this.counts = new Float64Array(terms.length);
    this.longest = terms.reduce((most, words) => Math.max(most, words.length), 0);
    const nodes = new Int32Array(terms.length);
    for (const column of Array.from(terms.keys()).sort((a, b) => (weights[a] as number) - (weights[b] as number))) {
      const words = terms[column] as readonly string[];
      nodes[column] = words.reduce((at, word) => this.tree.add(at, this.tree.tokenNumber(word)), 0);
    }
    this.columns = new Int32Array(this.tree.size).fill(-1);
    nodes.forEach((node, column) => {
      this.columns[node] = column;
    });
  }

  readonly token = (word: string): void => {
    const number = this.tree.knownToken(word);
    if (number === -1) {
      this.open.length = 0;
      return;
    }
    const reach = Math.min(this.open.length, this.longest - 1);
    for (let i = reach; i >= 0; i--) {
      const before = i === 0 ? 0 : (this.open[i - 1] as number);
      const node = before === 0 && i > 0 ? 0 : this.tree.find(before, number);
      this.open[i] = node;
      if (node !== 0) this.hit(this.columns[node] as number);
    }
  };

  /** Ends a text: its terms, weighted by `weigh(row)`, become a row of the matrix. */
  endText(rows: CsrBuilder, weigh: (columns: Uint32Array, values: Float32Array) => void): void {
    const { columns, values } = rows.row(this.touched.length);
    columns.set(this.touched);
    columns.sort();
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i] as number;
      values[i] = this.counts[column] as number;
      this.counts[column] = 0;
    }
    weigh(columns, values);
    this.touched.length = 0;
    this.open.length = 0;
  }

  private hit(column: number): void {
    if (column < 0) return;
    if (this.counts[column] === 0) this.touched.push(column);
    this.counts[column] = (this.counts[column] as number) + 1;
  }
}
