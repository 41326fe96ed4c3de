import type { Random } from "../../random.ts";
import { type BinnedMatrix, missingWord } from "./binned-matrix.ts";
import { ClassNode } from "./class-node.ts";
import { between } from "./cuts.ts";
import { FeatureRanks } from "./feature-ranks.ts";
import type { CountedFeature, ForestNode, ForestTargets, FoundSplit } from "./forest-node.ts";
import { NumberNode } from "./number-node.ts";
import { type Tree, TreeBuilder } from "./tree.ts";

export interface ForestLimits {
  readonly maxDepth: number;
  readonly minRowsPerLeaf: number;
  /** Features looked at for a split; more while none of them varies. */
  readonly featuresPerSplit: number;
}

/** Thresholds above every value: only missing values go right. */
const aboveAll = 3.4028234663852886e38;

/**
 * Grows trees that part rows until leaves are pure or a limit is met, always where impurity (variance; Gini's for classes) falls most. Leaves hold the mean,
 * or the share of each class. One grower for many trees: it keeps its memory.
 */
export class ForestTreeGrower {
  readonly #binned: BinnedMatrix<Uint16Array>;
  readonly #limits: ForestLimits;
  readonly #node: ForestNode;
  readonly #ranks: FeatureRanks;
  readonly #order: Int32Array;
  readonly #spare: Int32Array;
  readonly #features: Int32Array;
  /** The ranks next to the border of the latest split. */
  #lastLeft = 0;
  #firstRight = 0;

  constructor(binned: BinnedMatrix<Uint16Array>, targets: ForestTargets, limits: ForestLimits) {
    this.#binned = binned;
    this.#limits = limits;
    this.#node =
      targets.kind === "numbers" ? new NumberNode(targets.values) : new ClassNode(targets.indices, targets.classes);
    this.#ranks = new FeatureRanks(binned);
    this.#order = new Int32Array(binned.rows);
    this.#spare = new Int32Array(binned.rows);
    this.#features = new Int32Array(binned.cols);
  }

  /** A tree over the rows whose weight is above 0; yields after each split, so that the caller may breathe. */
  *grow(weights: Float64Array, random: Random): Generator<void, Tree> {
    const { maxDepth, minRowsPerLeaf } = this.#limits;
    const node = this.#node;
    const builder = new TreeBuilder(node.outputs);
    let rows = 0;
    for (let r = 0; r < weights.length; r++) if (weights[r]! > 0) this.#order[rows++] = r;
    for (let j = 0; j < this.#features.length; j++) this.#features[j] = j;
    const open = [{ at: builder.addLeaf(), from: 0, to: rows, depth: 0 }];
    for (let leaf = open.pop(); leaf !== undefined; leaf = open.pop()) {
      const { at, from, to, depth } = leaf;
      const isPure = node.read(this.#order, from, to, weights);
      for (let k = 0; k < node.outputs; k++) builder.setValue(at, node.value(k), k);
      if (isPure || depth >= maxDepth || to - from < 2 * minRowsPerLeaf) continue;
      const found = this.#findSplit(from, to, random);
      if (found === undefined) continue;
      const middle = this.#partition(found, from, to);
      const [left, right] = [builder.addLeaf(), builder.addLeaf()];
      builder.split(
        at,
        { feature: found.feature, threshold: this.#border(found.feature), missingLeft: found.missingLeft },
        left,
        right,
      );
      open.push({ at: right, from: middle, to, depth: depth + 1 });
      open.push({ at: left, from, to: middle, depth: depth + 1 });
      yield;
    }
    return builder.build();
  }

  #findSplit(from: number, to: number, random: Random): (FoundSplit & { feature: number }) | undefined {
    const features = this.#features;
    const { featuresPerSplit, minRowsPerLeaf } = this.#limits;
    const best = { score: Number.NEGATIVE_INFINITY, rank: 0, missingLeft: false, feature: -1 };
    let counted: CountedFeature | undefined;
    let looked = 0;
    let varying = 0;
    for (let left = features.length; left > 0; left--) {
      if (looked >= featuresPerSplit && varying > 0) break;
      const at = features.length === 1 ? 0 : random.below(left);
      const drawn = features[at]!;
      features[at] = features[left - 1]!;
      features[left - 1] = drawn;
      looked++;
      const feature = this.#ranks.read(drawn, this.#order, from, to);
      if (feature === undefined) continue;
      varying++;
      if (!this.#node.scan(feature, minRowsPerLeaf, best)) continue;
      best.feature = drawn;
      counted = feature.kind === "counted" ? feature : undefined;
    }
    if (best.feature < 0) return undefined;
    if (counted !== undefined && counted.shift > 0) {
      const zoomed = this.#ranks.zoom(best.feature, counted, best.rank, this.#order, from, to);
      this.#node.scan(zoomed, minRowsPerLeaf, best);
      // Where all values go left, so do those that were counted to the upper end.
      if (best.rank >= zoomed.low + zoomed.ranges - 1) best.rank = missingWord - 1;
    }
    return best;
  }

  /** Moves the rows that go left to the front of order[from..to), both sides in their old order. Returns where the right side starts. */
  #partition({ feature, rank: last, missingLeft }: FoundSplit & { feature: number }, from: number, to: number): number {
    const order = this.#order;
    const spare = this.#spare;
    const { bins, rows } = this.#binned;
    const base = feature * rows;
    let left = from;
    let right = 0;
    let lastLeft = 0;
    let firstRight = missingWord;
    for (let i = from; i < to; i++) {
      const r = order[i]!;
      const rank = bins[base + r]!;
      if (rank === missingWord) {
        if (missingLeft) order[left++] = r;
        else spare[right++] = r;
      } else if (rank <= last) {
        order[left++] = r;
        if (rank > lastLeft) lastLeft = rank;
      } else {
        spare[right++] = r;
        if (rank < firstRight) firstRight = rank;
      }
    }
    for (let i = 0; i < right; i++) order[left + i] = spare[i]!;
    this.#lastLeft = lastLeft;
    this.#firstRight = firstRight;
    return left;
  }

  /** Half-way between the values at both sides of the latest split: in small nodes that tells new rows apart better than a border close to one side. */
  #border(feature: number): number {
    const cuts = this.#binned.cuts[feature]!;
    if (this.#firstRight === missingWord) return aboveAll;
    const low = cuts[this.#lastLeft]!;
    const high = cuts[this.#firstRight - 1]!;
    return high > low ? between(low, high) : low;
  }
}
