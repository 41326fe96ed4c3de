import { ChildTable } from "./child-table.ts";

/** Room for token numbers in a key to sort by: a key `place * stride + rank` stays exact in FP64 up to 2²⁶ of each. */
const stride = 2 ** 26;

/** Sequences of tokens as paths of a tree: node 0 is the empty sequence. */
export class TermTree {
  /** For each node: the node without its last token, that token, and how many tokens it has. */
  readonly parents: number[] = [0];
  readonly tokens: number[] = [-1];
  readonly lengths: number[] = [0];
  private readonly words: string[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly children = new ChildTable();

  get size(): number {
    return this.parents.length;
  }

  /** The number of a token, made if new. */
  tokenNumber(word: string): number {
    const known = this.numbers.get(word);
    if (known !== undefined) return known;
    const number = this.words.push(word) - 1;
    this.numbers.set(word, number);
    return number;
  }

  /** The number of a token; -1 if it has none. */
  knownToken(word: string): number {
    return this.numbers.get(word) ?? -1;
  }

  /** The node of a sequence followed by a token; 0 if there is none. */
  find(node: number, token: number): number {
    return this.children.find(node, token);
  }

  add(node: number, token: number): number {
    const known = this.children.find(node, token);
    if (known !== 0) return known;
    const made = this.parents.push(node) - 1;
    this.tokens.push(token);
    this.lengths.push((this.lengths[node] as number) + 1);
    this.children.add(node, token, made);
    return made;
  }

  /** For each token its place among all tokens in the order of their text. */
  tokenRanks(): Uint32Array {
    const sorted = Array.from(this.words.keys()).sort((a, b) =>
      (this.words[a] as string) < (this.words[b] as string) ? -1 : 1,
    );
    const ranks = new Uint32Array(sorted.length);
    sorted.forEach((token, rank) => {
      ranks[token] = rank;
    });
    return ranks;
  }

  /** The words of a node, in order. */
  wordsOf(node: number): string[] {
    const words: string[] = [];
    for (let at = node; at !== 0; at = this.parents[at] as number)
      words.push(this.words[this.tokens[at] as number] as string);
    return words.reverse();
  }
}

/**
 * The nodes that are wanted, the shorter ones first, then in the order of their words. The beginnings of a wanted node must be wanted. The order does not
 * depend on the order in which nodes were made.
 */
export function nodesInOrder(tree: TermTree, wanted: (node: number) => boolean): number[] {
  const ranks = tree.tokenRanks();
  const tokens = new Uint32Array(ranks.length);
  ranks.forEach((rank, token) => {
    tokens[rank] = token;
  });
  const levels: number[][] = [];
  for (let node = 1; node < tree.size; node++)
    if (wanted(node)) levelOf(levels, tree.lengths[node] as number).push(node);
  let before = [0];
  return levels.flatMap((nodes) => {
    before = sortedLevel(tree, nodes, before, ranks, tokens);
    return before;
  });
}

function levelOf(levels: number[][], length: number): number[] {
  while (levels.length < length) levels.push([]);
  return levels[length - 1] as number[];
}

/** Sorts nodes of one length by the place of their beginning and the rank of their last token: as numbers, which is fast. */
function sortedLevel(
  tree: TermTree,
  nodes: readonly number[],
  before: readonly number[],
  ranks: Uint32Array,
  tokens: Uint32Array,
): number[] {
  const places = new Uint32Array(tree.size);
  before.forEach((node, place) => {
    places[node] = place;
  });
  const key = (node: number) =>
    (places[tree.parents[node] as number] as number) * stride + (ranks[tree.tokens[node] as number] as number);
  const keys = Float64Array.from(nodes, key).sort();
  return Array.from(keys, (each) =>
    tree.find(before[Math.floor(each / stride)] as number, tokens[each % stride] as number),
  );
}
