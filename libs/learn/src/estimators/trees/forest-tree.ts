import type { Random } from "../../random.ts";
import { type BinnedMatrix, binCount, missingBin } from "./binned-matrix.ts";
import { partition } from "./partition.ts";
import { type NodeSplit, type Tree, TreeBuilder } from "./tree.ts";

export interface ForestLimits {
  readonly maxDepth: number;
  readonly minRowsPerLeaf: number;
  /** Features looked at for a split; more while none of them varies. */
  readonly featuresPerSplit: number;
}

/** What is predicted: a number a row, or one of `classes`. Two classes are the numbers 0 and 1: halving their variance is halving Gini's impurity. */
export type ForestTargets =
  | { readonly kind: "numbers"; readonly values: Float64Array }
  | { readonly kind: "classes"; readonly indices: Int32Array; readonly classes: number };

/** Nodes of at most as many rows look at the bins they have rows in, others at all. */
const smallNode = 32;

const aboveAll = 3.4028234663852886e38;

/**
 * Grows trees that part rows until leaves are pure or a limit is met, always where impurity (variance; Gini's for classes) falls most. Leaves hold the mean,
 * or the share of each class. One grower for many trees: it keeps its memory.
 */
export class ForestTreeGrower {
  readonly #binned: BinnedMatrix;
  readonly #targets: ForestTargets;
  readonly #limits: ForestLimits;
  /** Sums a bin has: of weighted targets (of each class), of weights, and rows. */
  readonly #width: number;
  readonly #order: Int32Array;
  readonly #spare: Int32Array;
  readonly #weights: Float64Array;
  readonly #values: Float64Array;
  readonly #classes: Int32Array;
  readonly #features: Int32Array;
  readonly #histogram: Float64Array;
  readonly #touched = new Int32Array(binCount);
  readonly #total: Float64Array;
  readonly #side: Float64Array;

  constructor(binned: BinnedMatrix, targets: ForestTargets, limits: ForestLimits) {
    this.#binned = binned;
    this.#targets = targets;
    this.#limits = limits;
    const outputs = targets.kind === "classes" ? targets.classes : 1;
    this.#width = outputs + 2;
    this.#order = new Int32Array(binned.rows);
    this.#spare = new Int32Array(binned.rows);
    this.#weights = new Float64Array(binned.rows);
    this.#values = new Float64Array(targets.kind === "numbers" ? binned.rows : 0);
    this.#classes = new Int32Array(targets.kind === "classes" ? binned.rows : 0);
    this.#features = Int32Array.from({ length: binned.cols }, (_, j) => j);
    this.#histogram = new Float64Array(binCount * this.#width);
    this.#total = new Float64Array(this.#width);
    this.#side = new Float64Array(this.#width);
  }

  /** A tree over the rows whose weight is above 0. `due` is asked after each node; when it says yes the caller should breathe and go on. */
  *grow(weights: Float64Array, random: Random): Generator<void, Tree> {
    const outputs = this.#width - 2;
    const builder = new TreeBuilder(outputs);
    let rows = 0;
    for (let r = 0; r < weights.length; r++) if (weights[r]! > 0) this.#order[rows++] = r;
    this.#features.forEach((_, j) => {
      this.#features[j] = j;
    });
    const open = [{ node: builder.addLeaf(), from: 0, to: rows, depth: 0 }];
    for (let leaf = open.pop(); leaf !== undefined; leaf = open.pop()) {
      const { node, from, to, depth } = leaf;
      const isPure = this.#gather(weights, from, to);
      const total = this.#total;
      for (let k = 0; k < outputs; k++) builder.setValue(node, total[k]! / total[outputs]!, k);
      if (isPure || depth >= this.#limits.maxDepth || to - from < 2 * this.#limits.minRowsPerLeaf) continue;
      const split = this.#findSplit(from, to, random);
      if (split === undefined) continue;
      const { bins, rows: height } = this.#binned;
      const rowSplit = { bins, base: split.feature * height, bin: split.bin, missingLeft: split.missingLeft };
      const middle = partition(this.#order, from, to, rowSplit, this.#spare);
      const [left, right] = [builder.addLeaf(), builder.addLeaf()];
      builder.split(node, split, left, right);
      open.push({ node: right, from: middle, to, depth: depth + 1 });
      open.push({ node: left, from, to: middle, depth: depth + 1 });
      yield;
    }
    return builder.build();
  }

  /** Puts weights and targets of the node's rows side by side and sums them; true when all targets are the same. */
  #gather(weights: Float64Array, from: number, to: number): boolean {
    const order = this.#order;
    const total = this.#total.fill(0);
    const outputs = this.#width - 2;
    let isPure = true;
    if (this.#targets.kind === "numbers") {
      const { values } = this.#targets;
      const first = values[order[from]!]!;
      for (let i = from; i < to; i++) {
        const r = order[i]!;
        const weight = weights[r]!;
        const value = values[r]!;
        if (value !== first) isPure = false;
        this.#weights[i] = weight;
        this.#values[i] = weight * value;
        total[0]! += weight * value;
        total[1]! += weight;
      }
    } else {
      const { indices } = this.#targets;
      const first = indices[order[from]!]!;
      for (let i = from; i < to; i++) {
        const r = order[i]!;
        const weight = weights[r]!;
        const c = indices[r]!;
        if (c !== first) isPure = false;
        this.#weights[i] = weight;
        this.#classes[i] = c;
        total[c]! += weight;
        total[outputs]! += weight;
      }
    }
    total[outputs + 1] = to - from;
    return isPure;
  }

  #findSplit(from: number, to: number, random: Random): NodeSplit | undefined {
    const features = this.#features;
    const outputs = this.#width - 2;
    const scan = this.#targets.kind === "numbers" ? scanNumbers : scanClasses;
    let own = 0;
    for (let k = 0; k < outputs; k++) own += this.#total[k]! ** 2 / this.#total[outputs]!;
    const best: Found = { score: own * (1 + 1e-13) + 1e-300, bin: -1, missingLeft: false };
    let feature = -1;
    let looked = 0;
    let varying = 0;
    for (let left = features.length; left > 0; left--) {
      if (looked >= this.#limits.featuresPerSplit && varying > 0) break;
      const at = left === features.length && left === 1 ? 0 : random.below(left);
      const drawn = features[at]!;
      features[at] = features[left - 1]!;
      features[left - 1] = drawn;
      looked++;
      const bins = this.#fill(drawn, from, to);
      if (bins > 1) {
        varying++;
        const input = { histogram: this.#histogram, touched: this.#touched, bins, width: this.#width };
        const found = scan(input, this.#total, this.#side, this.#limits.minRowsPerLeaf, best);
        if (found) feature = drawn;
      }
      this.#clear(bins);
    }
    if (feature < 0) return undefined;
    const threshold = this.#binned.cuts[feature]![best.bin] ?? aboveAll;
    return { feature, bin: Math.min(best.bin, missingBin - 1), threshold, missingLeft: best.missingLeft };
  }

  /** Fills the histogram of one feature; lists its bins with rows, ascending, and returns how many they are. */
  #fill(feature: number, from: number, to: number): number {
    const { rows } = this.#binned;
    const column = this.#binned.bins.subarray(feature * rows, (feature + 1) * rows);
    const width = this.#width;
    if (this.#targets.kind === "numbers") {
      fillNumbers(this.#histogram, column, this.#order, this.#values, this.#weights, from, to);
    } else {
      fillClasses(this.#histogram, column, this.#order, this.#classes, this.#weights, width, from, to);
    }
    if (to - from <= smallNode) return listFew(this.#touched, column, this.#order, from, to);
    let count = 0;
    for (let b = 0; b < binCount; b++) if (this.#histogram[b * width + width - 1]! > 0) this.#touched[count++] = b;
    return count;
  }

  #clear(bins: number): void {
    const width = this.#width;
    if (bins > 64) {
      this.#histogram.fill(0);
      return;
    }
    for (let t = 0; t < bins; t++) {
      const at = this.#touched[t]! * width;
      for (let k = 0; k < width; k++) this.#histogram[at + k] = 0;
    }
  }
}

interface Found {
  score: number;
  bin: number;
  missingLeft: boolean;
}

interface Histogram {
  readonly histogram: Float64Array;
  /** Bins with rows, ascending. */
  readonly touched: Int32Array;
  readonly bins: number;
  readonly width: number;
}

function fillNumbers(
  histogram: Float64Array,
  column: Uint8Array,
  order: Int32Array,
  values: Float64Array,
  weights: Float64Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const b = column[order[i]!]! * 3;
    histogram[b]! += values[i]!;
    histogram[b + 1]! += weights[i]!;
    histogram[b + 2]! += 1;
  }
}

function fillClasses(
  histogram: Float64Array,
  column: Uint8Array,
  order: Int32Array,
  classes: Int32Array,
  weights: Float64Array,
  width: number,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const b = column[order[i]!]! * width;
    const weight = weights[i]!;
    histogram[b + classes[i]!]! += weight;
    histogram[b + width - 2]! += weight;
    histogram[b + width - 1]! += 1;
  }
}

/** Bins of a few rows, each once, by insertion. */
function listFew(touched: Int32Array, column: Uint8Array, order: Int32Array, from: number, to: number): number {
  let count = 0;
  for (let i = from; i < to; i++) {
    const b = column[order[i]!]!;
    let at = count;
    while (at > 0 && touched[at - 1]! > b) at--;
    if (at > 0 && touched[at - 1] === b) continue;
    for (let m = count; m > at; m--) touched[m] = touched[m - 1]!;
    touched[at] = b;
    count++;
  }
  return count;
}

/**
 * Whether a split of the feature scores higher than `best`, which it then becomes. The score is Σ (sum of a side)² / (weight of the side). The border is in
 * the middle of the empty bins between both sides: in small nodes that tells new rows apart better than a border close to one side.
 */
function scanNumbers(h: Histogram, total: Float64Array, _: Float64Array, minRows: number, best: Found): boolean {
  const { histogram, touched } = h;
  const hasMissing = touched[h.bins - 1] === missingBin;
  const values = hasMissing ? h.bins - 1 : h.bins;
  const missing = missingBin * 3;
  let found = false;
  for (let side = 0; side < (hasMissing ? 2 : 1); side++) {
    let sum = side === 1 ? histogram[missing]! : 0;
    let weight = side === 1 ? histogram[missing + 1]! : 0;
    let rows = side === 1 ? histogram[missing + 2]! : 0;
    const end = hasMissing && side === 0 ? values : values - 1;
    for (let t = 0; t < end; t++) {
      const b = touched[t]! * 3;
      sum += histogram[b]!;
      weight += histogram[b + 1]!;
      rows += histogram[b + 2]!;
      if (rows < minRows) continue;
      if (total[2]! - rows < minRows) break;
      const other = total[0]! - sum;
      const score = (sum * sum) / weight + (other * other) / (total[1]! - weight);
      if (!(score > best.score)) continue;
      found = true;
      best.score = score;
      best.bin = t + 1 < values ? (touched[t]! + touched[t + 1]! - 1) >> 1 : touched[t]!;
      best.missingLeft = hasMissing ? side === 1 : rows * 2 >= total[2]!;
    }
  }
  return found;
}

function scanClasses(h: Histogram, total: Float64Array, side: Float64Array, minRows: number, best: Found): boolean {
  const { histogram, touched, width } = h;
  const classes = width - 2;
  const hasMissing = touched[h.bins - 1] === missingBin;
  const values = hasMissing ? h.bins - 1 : h.bins;
  const missing = missingBin * width;
  let found = false;
  for (let way = 0; way < (hasMissing ? 2 : 1); way++) {
    for (let k = 0; k < width; k++) side[k] = way === 1 ? histogram[missing + k]! : 0;
    const end = hasMissing && way === 0 ? values : values - 1;
    for (let t = 0; t < end; t++) {
      const b = touched[t]! * width;
      let own = 0;
      let others = 0;
      for (let k = 0; k < classes; k++) {
        const sum = side[k]! + histogram[b + k]!;
        const rest = total[k]! - sum;
        side[k] = sum;
        own += sum * sum;
        others += rest * rest;
      }
      side[classes]! += histogram[b + classes]!;
      side[classes + 1]! += histogram[b + classes + 1]!;
      const rows = side[classes + 1]!;
      if (rows < minRows) continue;
      if (total[classes + 1]! - rows < minRows) break;
      const score = own / side[classes]! + others / (total[classes]! - side[classes]!);
      if (!(score > best.score)) continue;
      found = true;
      best.score = score;
      best.bin = t + 1 < values ? (touched[t]! + touched[t + 1]! - 1) >> 1 : touched[t]!;
      best.missingLeft = hasMissing ? way === 1 : rows * 2 >= total[classes + 1]!;
    }
  }
  return found;
}
