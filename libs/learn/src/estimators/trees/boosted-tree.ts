import type { Pacer } from "../../pacer.ts";
import { type BinnedMatrix, missingBin } from "./binned-matrix.ts";
import { type BoostingMemory, foundFields, foundWidth, jobFields } from "./boosting-memory.ts";
import { partition } from "./partition.ts";
import type { SplitSearch } from "./split-search.ts";
import { type NodeSplit, type Tree, TreeBuilder } from "./tree.ts";

export interface GrowthLimits {
  readonly maxLeaves: number;
  /** Splits from the root to a leaf at most. */
  readonly maxDepth: number;
  readonly minRowsPerLeaf: number;
  readonly l2: number;
  readonly learningRate: number;
}

/** First and second derivatives of the loss by row; no curvatures when all are 1. */
export interface Derivatives {
  readonly gradients: Float32Array;
  readonly curvatures: Float32Array | undefined;
}

/** A leaf that may still be parted. */
interface Leaf {
  readonly node: number;
  readonly from: number;
  readonly to: number;
  readonly depth: number;
  readonly gradient: number;
  readonly curvature: number;
  /** Where its histogram is; −1 when none is kept. */
  slot: number;
  best: (NodeSplit & { bin: number; gain: number; gradient: number; curvature: number }) | undefined;
}

const minCurvature = 1e-3;

/** Thresholds above every value: only missing values go right. */
const aboveAll = 3.4028234663852886e38;

/** Grows trees leaf by leaf, always where the loss falls most; the smaller child's histogram is built, the larger one's is what remains of the parent's. */
export class BoostedTreeGrower {
  readonly #binned: BinnedMatrix;
  readonly #memory: BoostingMemory;
  readonly #search: SplitSearch;
  readonly #limits: GrowthLimits;
  readonly #pacer: Pacer;
  readonly #training: Int32Array;
  readonly #spare: Int32Array;
  /** Whether every leaf's histogram is kept. */
  readonly #keeps: boolean;
  #l2: number;
  #free: number[] = [];
  #derivatives!: Derivatives;

  constructor(o: {
    binned: BinnedMatrix;
    memory: BoostingMemory;
    search: SplitSearch;
    limits: GrowthLimits;
    pacer: Pacer;
    training: Int32Array;
    keeps: boolean;
  }) {
    this.#binned = o.binned;
    this.#memory = o.memory;
    this.#search = o.search;
    this.#limits = o.limits;
    this.#pacer = o.pacer;
    this.#training = o.training;
    this.#spare = new Int32Array(o.training.length);
    this.#keeps = o.keeps;
    this.#l2 = o.limits.l2;
    const { job } = o.memory;
    job[jobFields.l2] = o.limits.l2;
    job[jobFields.minRows] = o.limits.minRowsPerLeaf;
    job[jobFields.minCurvature] = minCurvature;
  }

  /** Grows with another penalty from now on. */
  penalise(l2: number): void {
    this.#l2 = l2;
    this.#memory.job[jobFields.l2] = l2;
  }

  /** A tree that follows the derivatives; adds its values to `scores` of the training rows. */
  async grow(derivatives: Derivatives, scores: Float64Array): Promise<Tree> {
    const { order, job } = this.#memory;
    this.#derivatives = derivatives;
    order.set(this.#training);
    job[jobFields.evenCurvature] = derivatives.curvatures === undefined ? 1 : 0;
    this.#free = Array.from({ length: this.#keeps ? this.#limits.maxLeaves : 2 }, (_, slot) => slot);
    const builder = new TreeBuilder(1);
    const leaves = [await this.#root(builder)];
    for (let count = 1; count < this.#limits.maxLeaves; count++) {
      const at = mostPromising(leaves);
      if (at < 0) break;
      const leaf = leaves[at]!;
      const [left, right] = await this.#split(builder, leaf);
      leaves[at] = left;
      leaves.push(right);
      if (this.#pacer.due) await this.#pacer.breathe();
    }
    for (const leaf of leaves) this.#settle(builder, leaf, scores);
    return builder.build();
  }

  async #root(builder: TreeBuilder): Promise<Leaf> {
    const { gradients, curvatures } = this.#derivatives;
    const rows = this.#training;
    let gradient = 0;
    let curvature = 0;
    for (let i = 0; i < rows.length; i++) {
      gradient += gradients[rows[i]!]!;
      curvature += curvatures === undefined ? 1 : curvatures[rows[i]!]!;
    }
    const sums = { gradient, curvature, from: 0, to: rows.length, depth: 0 };
    const leaf: Leaf = { ...sums, node: builder.addLeaf(), slot: this.#free.pop()!, best: undefined };
    this.#gather(leaf);
    this.#describe(leaf, 0);
    this.#memory.job[jobFields.otherSlot] = -1;
    await this.#search.run();
    this.#read(leaf, 0);
    return leaf;
  }

  async #split(builder: TreeBuilder, leaf: Leaf): Promise<[Leaf, Leaf]> {
    const { bins, rows, job, order } = this.#memory;
    const split = leaf.best!;
    const base = split.feature * rows;
    const rowSplit = { bins, base, bin: split.bin, missingLeft: split.missingLeft };
    const middle = partition(order, leaf.from, leaf.to, rowSplit, this.#spare);
    const depth = leaf.depth + 1;
    const left: Leaf = {
      ...{ node: builder.addLeaf(), from: leaf.from, to: middle, depth, slot: -1, best: undefined },
      ...{ gradient: split.gradient, curvature: split.curvature },
    };
    const right: Leaf = {
      ...{ node: builder.addLeaf(), from: middle, to: leaf.to, depth, slot: -1, best: undefined },
      ...{ gradient: leaf.gradient - split.gradient, curvature: leaf.curvature - split.curvature },
    };
    builder.split(leaf.node, split, left.node, right.node);
    if (depth >= this.#limits.maxDepth) {
      this.#release(leaf);
      return [left, right];
    }
    const [small, large] = middle - leaf.from <= leaf.to - middle ? [left, right] : [right, left];
    small.slot = this.#free.pop()!;
    large.slot = this.#keeps ? leaf.slot : this.#free.pop()!;
    this.#gather(small);
    if (!this.#keeps) this.#gather(large);
    this.#describe(small, 0);
    this.#describe(large, 1);
    job[jobFields.subtract] = this.#keeps ? 1 : 0;
    await this.#search.run();
    this.#read(small, 0);
    this.#read(large, 1);
    return [left, right];
  }

  #settle(builder: TreeBuilder, leaf: Leaf, scores: Float64Array): void {
    const { learningRate } = this.#limits;
    const divisor = leaf.curvature + this.#l2;
    const value = divisor > 0 ? (-learningRate * leaf.gradient) / divisor : 0;
    builder.setValue(leaf.node, value);
    const { order } = this.#memory;
    for (let i = leaf.from; i < leaf.to; i++) scores[order[i]!]! += value;
  }

  /** Puts the derivatives of the leaf's rows side by side. */
  #gather({ from, to }: Leaf): void {
    const { order, gradients, curvatures } = this.#memory;
    const given = this.#derivatives;
    for (let i = from; i < to; i++) gradients[i] = given.gradients[order[i]!]!;
    if (given.curvatures === undefined) return;
    for (let i = from; i < to; i++) curvatures[i] = given.curvatures[order[i]!]!;
  }

  #describe(leaf: Leaf, position: 0 | 1): void {
    const { job } = this.#memory;
    const at = position === 0 ? jobFields.from : jobFields.otherFrom;
    job[at] = leaf.from;
    job[at + 1] = leaf.to;
    job[at + 2] = leaf.slot;
    job[at + 3] = leaf.gradient;
    job[at + 4] = leaf.curvature;
  }

  #read(leaf: Leaf, position: 0 | 1): void {
    const { found, cols } = this.#memory;
    let entry = -1;
    let gain = 1e-12 * leaf.curvature;
    for (let feature = 0; feature < cols; feature++) {
      const at = (position * cols + feature) * foundWidth;
      if (!(found[at + foundFields.gain]! > gain)) continue;
      gain = found[at + foundFields.gain]!;
      entry = at;
    }
    if (entry >= 0) {
      const feature = entry / foundWidth - position * cols;
      const bin = found[entry + foundFields.bin]!;
      leaf.best = {
        gain,
        feature,
        bin: Math.min(bin, missingBin - 1),
        threshold: this.#binned.cuts[feature]![bin] ?? aboveAll,
        missingLeft: found[entry + foundFields.missingLeft] === 1,
        gradient: found[entry + foundFields.gradient]!,
        curvature: found[entry + foundFields.curvature]!,
      };
    }
    if (entry < 0 || !this.#keeps) this.#release(leaf);
  }

  #release(leaf: Leaf): void {
    if (leaf.slot >= 0) this.#free.push(leaf.slot);
    leaf.slot = -1;
  }
}

function mostPromising(leaves: readonly Leaf[]): number {
  let best = -1;
  for (const [i, leaf] of leaves.entries()) {
    if (leaf.best === undefined) continue;
    if (best < 0 || leaf.best.gain > leaves[best]!.best!.gain) best = i;
  }
  return best;
}

/** The leaf of a binned row. */
export function binnedLeafOf(tree: Tree, bins: Uint8Array, rows: number, row: number): number {
  const { feature, bin, left, right, missingLeft } = tree;
  let node = 0;
  for (let f = feature[0]!; f >= 0; f = feature[node]!) {
    const b = bins[f * rows + row]!;
    node = b <= bin[node]! || (b === missingBin && missingLeft[node] === 1) ? left[node]! : right[node]!;
  }
  return node;
}
