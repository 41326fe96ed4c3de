import type { Pacer } from "../../pacer.ts";
import type { Json } from "../../packed-array.ts";
import type { Random } from "../../random.ts";
import type { BinnedMatrix } from "./binned-matrix.ts";
import { BoostedTreeGrower, binnedLeafOf } from "./boosted-tree.ts";
import type { BoostingLoss } from "./boosting-loss.ts";
import { allocateBoosting, featureWidth } from "./boosting-memory.ts";
import { type SplitSearch, singleThreadSearch } from "./split-search.ts";
import { manyThreadSearch } from "./thread-search.ts";
import { type Tree, treeFromJson, treeToJson } from "./tree.ts";

export type BoostingParameters = {
  readonly iterations: number;
  readonly learningRate: number;
  readonly maxLeaves: number;
  readonly maxDepth: number;
  readonly minRowsPerLeaf: number;
  readonly l2: number;
  readonly patience: number;
  readonly classWeights: "none" | "balanced";
};

interface RunOptions {
  readonly loss: BoostingLoss;
  readonly p: BoostingParameters;
  readonly pacer: Pacer;
  readonly random: Random;
  readonly threads: number;
}

/** Rows from which on some are held back to end early by. */
const rowsForHolding = 10_000;
const heldShare = 0.1;

/** Penalties to begin again with, one after the other, when the loss rises above that of the first guess. */
const rescues = [1, 10, 100];

/** Bytes of histograms that are kept for the subtraction; wider data builds every histogram anew. */
const mostHistogramBytes = 2 ** 30;

/** A fit in progress: an iteration at a time. */
export class BoostingRun implements Disposable {
  readonly base: Float64Array;
  #iteration = 0;
  readonly #binned: BinnedMatrix;
  readonly #o: RunOptions;
  readonly #training: Int32Array;
  readonly #held: Int32Array;
  readonly #scores: Float64Array;
  readonly #gradients: Float32Array;
  readonly #curvatures: Float32Array;
  readonly #search: SplitSearch;
  readonly #grower: BoostedTreeGrower;
  #trees: Tree[] = [];
  /** The loss before the first tree. */
  readonly #firstLoss: number;
  #l2: number;
  #diverged = false;
  #bestLoss = Number.POSITIVE_INFINITY;
  #bestIteration = 0;

  /** With more than one thread the bins have to be shared. */
  constructor(binned: BinnedMatrix, o: RunOptions) {
    const { loss, p, pacer, random, threads } = o;
    const { rows, cols, bins, cuts } = binned;
    this.#binned = binned;
    this.#o = o;
    [this.#training, this.#held] = part(rows, p.patience > 0 && rows >= rowsForHolding ? heldShare : 0, random.fork(1));
    this.base = loss.base(this.#training);
    this.#scores = new Float64Array(loss.outputs * rows);
    this.#l2 = p.l2;
    this.#toFirstGuess();
    this.#firstLoss = this.#loss();
    this.#gradients = new Float32Array(loss.outputs * rows);
    this.#curvatures = new Float32Array(loss.outputs * rows);
    const keeps = p.maxLeaves * cols * featureWidth * 8 <= mostHistogramBytes;
    const slots = keeps ? p.maxLeaves : 2;
    const size = { rows, cols, ordered: this.#training.length, slots, shared: threads > 1 };
    const memory = allocateBoosting(
      size,
      bins,
      cuts.map((cut) => cut.length + 1),
    );
    this.#search = threads > 1 ? manyThreadSearch(memory, threads, pacer) : singleThreadSearch(memory, pacer);
    const training = this.#training;
    this.#grower = new BoostedTreeGrower({ binned, memory, search: this.#search, limits: p, pacer, training, keeps });
  }

  /** Iterations done. */
  get iteration(): number {
    return this.#iteration;
  }

  get done(): boolean {
    const { iterations, patience } = this.#o.p;
    const stale = this.#held.length > 0 && this.#iteration - this.#bestIteration >= patience;
    return this.#iteration >= iterations || stale;
  }

  /** The penalty in force: the one asked for, unless the loss rose too far with it. */
  get l2(): number {
    return this.#l2;
  }

  /** Whether the loss is above that of the first guess, and no penalty helped. */
  get diverged(): boolean {
    return this.#diverged;
  }

  /**
   * Adds one tree for each output; returns the loss on the rows held back, or on all where there are none. Of many or rare classes leaves have next to no curvature,
   * and Newton's step goes far too wide: when the loss rises above that of the first guess, the fit begins again with a larger penalty.
   */
  async step(): Promise<number> {
    const { loss } = this.#o;
    const { rows } = this.#binned;
    loss.derive(this.#scores, this.#gradients, this.#curvatures);
    for (let k = 0; k < loss.outputs; k++) {
      const [from, to] = [k * rows, (k + 1) * rows];
      const gradients = this.#gradients.subarray(from, to);
      const curvatures = loss.evenCurvature ? undefined : this.#curvatures.subarray(from, to);
      const scores = this.#scores.subarray(from, to);
      const tree = await this.#grower.grow({ gradients, curvatures }, scores);
      this.#addTo(scores, tree, this.#held);
      this.#trees.push(tree);
    }
    this.#iteration++;
    const measured = this.#measure();
    this.#diverged = measured > this.#firstLoss;
    const larger = rescues.find((l2) => l2 > this.#l2);
    if (!this.#diverged || larger === undefined) return measured;
    this.#beginAgain(larger);
    return this.#firstLoss;
  }

  #beginAgain(l2: number): void {
    this.#l2 = l2;
    this.#grower.penalise(l2);
    this.#trees = [];
    this.#iteration = 0;
    this.#bestIteration = 0;
    this.#bestLoss = Number.POSITIVE_INFINITY;
    this.#toFirstGuess();
  }

  #toFirstGuess(): void {
    const { rows } = this.#binned;
    for (const [k, base] of this.base.entries()) this.#scores.fill(base, k * rows, (k + 1) * rows);
  }

  /** The trees up to the iteration that was best on the rows held back. */
  bestTrees(): readonly Tree[] {
    return this.#held.length === 0 ? this.#trees : this.#trees.slice(0, this.#bestIteration * this.#o.loss.outputs);
  }

  toJson(): Json {
    return { kind: "boosting", l2: this.#l2, trees: this.#trees.map(treeToJson) };
  }

  /** Takes up the trees of a checkpoint, adding to scores in the order they were added in. */
  resume(json: Json | undefined): void {
    const saved = json as { kind?: string; l2?: number; trees: readonly Json[] } | undefined | null;
    if (saved?.kind !== "boosting") return;
    this.#l2 = saved.l2 ?? this.#l2;
    this.#grower.penalise(this.#l2);
    const { outputs } = this.#o.loss;
    const { rows } = this.#binned;
    for (const [t, item] of saved.trees.entries()) {
      const tree = treeFromJson(item);
      const k = t % outputs;
      const scores = this.#scores.subarray(k * rows, (k + 1) * rows);
      this.#addTo(scores, tree, this.#training);
      this.#addTo(scores, tree, this.#held);
      this.#trees.push(tree);
      if (k < outputs - 1) continue;
      this.#iteration++;
      this.#measure();
    }
  }

  [Symbol.dispose](): void {
    this.#search[Symbol.dispose]();
  }

  #addTo(scores: Float64Array, tree: Tree, some: Int32Array): void {
    const { bins, rows } = this.#binned;
    for (let i = 0; i < some.length; i++) {
      scores[some[i]!]! += tree.values[binnedLeafOf(tree, bins, rows, some[i]!)]!;
    }
  }

  #loss(): number {
    return this.#o.loss.mean(this.#scores, this.#held.length > 0 ? this.#held : this.#training);
  }

  #measure(): number {
    const loss = this.#loss();
    if (this.#held.length === 0) return loss;
    if (loss < this.#bestLoss - 1e-7) {
      this.#bestLoss = loss;
      this.#bestIteration = this.#iteration;
    }
    return loss;
  }
}

/** Rows to train on and rows held back, each ascending. */
function part(rows: number, share: number, random: Random): [Int32Array, Int32Array] {
  const order = Int32Array.from({ length: rows }, (_, r) => r);
  if (share === 0) return [order, new Int32Array(0)];
  random.shuffle(order);
  const held = Math.round(rows * share);
  return [order.slice(held).sort(), order.slice(0, held).sort()];
}
