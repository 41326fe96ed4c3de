/** Room for token numbers in a key: a key `node * stride + token` stays exact in FP64 up to 2²⁶ of each. */
const stride = 2 ** 26;

/** Sequences of tokens as paths of a tree: node 0 is the empty sequence. */
export class TermTree {
  /** For each node: the node without its last token, that token, and how many tokens it has. */
  readonly parents: number[] = [0];
  readonly tokens: number[] = [-1];
  readonly lengths: number[] = [0];
  private readonly words: string[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly children = new Map<number, number>();

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
    return this.children.get(node * stride + token) ?? 0;
  }

  add(node: number, token: number): number {
    const key = node * stride + token;
    const known = this.children.get(key);
    if (known !== undefined) return known;
    const made = this.parents.push(node) - 1;
    this.tokens.push(token);
    this.lengths.push((this.lengths[node] as number) + 1);
    this.children.set(key, made);
    return made;
  }

  /** The words of a node, in order. */
  wordsOf(node: number): string[] {
    const words: string[] = [];
    for (let at = node; at !== 0; at = this.parents[at] as number)
      words.push(this.words[this.tokens[at] as number] as string);
    return words.reverse();
  }
}
