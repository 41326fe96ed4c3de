import { type Json, packArray, unpackArray } from "../../packed-array.ts";

/** A decision tree as arrays by node; node 0 is the root. */
export interface Tree {
  /** Column the node asks for; −1 for a leaf. */
  readonly feature: Int32Array;
  /** A row goes left when its value is ≤ this, in FP32. */
  readonly threshold: Float32Array;
  /** The same as a bin where trees are grown on bytes: left when the bin is ≤ this; else 0. */
  readonly bin: Uint8Array;
  /** 1 where missing values go left. */
  readonly missingLeft: Uint8Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** [nodes × width]; 0 for inner nodes. */
  readonly values: Float64Array;
  readonly width: number;
}

/** Where a node is parted. */
export interface NodeSplit {
  readonly feature: number;
  readonly bin?: number;
  readonly threshold: number;
  readonly missingLeft: boolean;
}

/** Grows a tree node by node. */
export class TreeBuilder {
  readonly #width: number;
  readonly #splits: (NodeSplit | undefined)[] = [];
  readonly #left: number[] = [];
  readonly #right: number[] = [];
  #values = new Float64Array(64);

  constructor(width: number) {
    this.#width = width;
  }

  get size(): number {
    return this.#splits.length;
  }

  addLeaf(): number {
    this.#splits.push(undefined);
    this.#left.push(-1);
    this.#right.push(-1);
    const wanted = this.size * this.#width;
    if (wanted > this.#values.length) {
      const grown = new Float64Array(2 * wanted);
      grown.set(this.#values);
      this.#values = grown;
    }
    return this.size - 1;
  }

  setValue(node: number, value: number, position = 0): void {
    this.#values[node * this.#width + position] = value;
  }

  split(node: number, split: NodeSplit, left: number, right: number): void {
    this.#splits[node] = split;
    this.#left[node] = left;
    this.#right[node] = right;
    this.#values.fill(0, node * this.#width, (node + 1) * this.#width);
  }

  build(): Tree {
    const splits = this.#splits;
    return {
      feature: Int32Array.from(splits, (split) => split?.feature ?? -1),
      threshold: Float32Array.from(splits, (split) => split?.threshold ?? 0),
      bin: Uint8Array.from(splits, (split) => split?.bin ?? 0),
      missingLeft: Uint8Array.from(splits, (split) => (split?.missingLeft ? 1 : 0)),
      left: Int32Array.from(this.#left),
      right: Int32Array.from(this.#right),
      values: this.#values.slice(0, this.size * this.#width),
      width: this.#width,
    };
  }
}

/** The leaf of row `r` of dense rows. */
export function leafOf(tree: Tree, data: Float32Array, base: number): number {
  const { feature, threshold, left, right, missingLeft } = tree;
  let node = 0;
  for (let f = feature[0]!; f >= 0; f = feature[node]!) {
    const value = data[base + f]!;
    const goesLeft = value <= threshold[node]! || (Number.isNaN(value) && missingLeft[node] === 1);
    node = goesLeft ? left[node]! : right[node]!;
  }
  return node;
}

export function treeToJson(tree: Tree): Json {
  return {
    feature: packArray(tree.feature),
    threshold: packArray(tree.threshold),
    bin: packArray(tree.bin),
    missingLeft: packArray(tree.missingLeft),
    left: packArray(tree.left),
    right: packArray(tree.right),
    values: packArray(tree.values),
    width: tree.width,
  };
}

export function treeFromJson(json: Json): Tree {
  const saved = json as { [key: string]: Json };
  return {
    feature: unpackArray("Int32Array", saved.feature),
    threshold: unpackArray("Float32Array", saved.threshold),
    bin: unpackArray("Uint8Array", saved.bin),
    missingLeft: unpackArray("Uint8Array", saved.missingLeft),
    left: unpackArray("Int32Array", saved.left),
    right: unpackArray("Int32Array", saved.right),
    values: unpackArray("Float64Array", saved.values),
    width: saved.width as number,
  };
}
