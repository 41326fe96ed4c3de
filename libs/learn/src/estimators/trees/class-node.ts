import {
  type CountedFeature,
  type ForestNode,
  type FoundSplit,
  mostRanges,
  rangeOf,
  type SortedFeature,
} from "./forest-node.ts";

/** A node whose rows have classes; the score falls with Gini's impurity of the sides. */
export class ClassNode implements ForestNode {
  readonly outputs: number;
  readonly #targets: Int32Array;
  readonly #classes: Int32Array;
  readonly #weights: Float64Array;
  /** Of all rows and of those on the left: weight by class. */
  readonly #total: Float64Array;
  readonly #left: Float64Array;
  /** Sums of a range: weight by class, rows. */
  readonly #sums: Float64Array;
  #weight = 0;

  constructor(targets: Int32Array, classes: number) {
    this.outputs = classes;
    this.#targets = targets;
    this.#classes = new Int32Array(targets.length);
    this.#weights = new Float64Array(targets.length);
    this.#total = new Float64Array(classes);
    this.#left = new Float64Array(classes);
    this.#sums = new Float64Array((mostRanges + 1) * (classes + 1));
  }

  read(order: Int32Array, from: number, to: number, weights: Float64Array): boolean {
    const targets = this.#targets;
    const total = this.#total.fill(0);
    const first = targets[order[from]!]!;
    let isPure = true;
    let sum = 0;
    for (let i = from; i < to; i++) {
      const r = order[i]!;
      const weight = weights[r]!;
      const c = targets[r]!;
      if (c !== first) isPure = false;
      this.#weights[i - from] = weight;
      this.#classes[i - from] = c;
      total[c]! += weight;
      sum += weight;
    }
    this.#weight = sum;
    return isPure;
  }

  value(output: number): number {
    return this.#total[output]! / this.#weight;
  }

  score(): number {
    return sumOfSquares(this.#total) / this.#weight;
  }

  scan(feature: SortedFeature | CountedFeature, minRows: number, best: FoundSplit): boolean {
    return feature.kind === "sorted"
      ? this.#scanSorted(feature, minRows, best)
      : this.#scanCounted(feature, minRows, best);
  }

  /** Row by row: moving weight w of a class from one side to the other changes the sum of squares by w · (2 · its sum + w). */
  #scanSorted({ keys, rows, present }: SortedFeature, minRows: number, best: FoundSplit): boolean {
    const classes = this.#classes;
    const weights = this.#weights;
    const total = this.#total;
    const left = this.#left;
    let found = false;
    for (let side = 0; side < (present < rows ? 2 : 1); side++) {
      left.fill(0);
      let own = 0;
      let others = sumOfSquares(total);
      let weight = 0;
      for (let t = side === 1 ? present : rows; t < rows; t++) {
        const i = keys[t]! & 0xffff;
        const [c, w] = [classes[i]!, weights[i]!];
        left[c]! += w;
        weight += w;
      }
      if (side === 1) {
        own = sumOfSquares(left);
        others = 0;
        for (let c = 0; c < left.length; c++) others += (total[c]! - left[c]!) ** 2;
      }
      const ahead = side === 1 ? rows - present : 0;
      const end = present < rows && side === 0 ? present : present - 1;
      for (let t = 0; t < end; t++) {
        const key = keys[t]!;
        const i = key & 0xffff;
        const c = classes[i]!;
        const w = weights[i]!;
        const sum = left[c]!;
        own += w * (2 * sum + w);
        others -= w * (2 * (total[c]! - sum) - w);
        left[c] = sum + w;
        weight += w;
        if (t + 1 < present && key >>> 16 === keys[t + 1]! >>> 16) continue;
        const count = ahead + t + 1;
        if (count < minRows) continue;
        if (rows - count < minRows) break;
        const score = own / weight + others / (this.#weight - weight);
        if (!(score > best.score)) continue;
        found = true;
        best.score = score;
        best.rank = key >>> 16;
        best.missingLeft = present < rows ? side === 1 : 2 * count >= rows;
      }
    }
    return found;
  }

  #scanCounted(feature: CountedFeature, minRows: number, best: FoundSplit): boolean {
    const { rows, present, low, shift, ranges } = feature;
    const classes = this.outputs;
    const width = classes + 1;
    const sums = this.#sums.fill(0, 0, (ranges + 1) * width);
    this.#fill(feature);
    const missing = ranges * width;
    const total = this.#total;
    const left = this.#left;
    let found = false;
    for (let side = 0; side < (present < rows ? 2 : 1); side++) {
      for (let c = 0; c < classes; c++) left[c] = side === 1 ? sums[missing + c]! : 0;
      let count = side === 1 ? rows - present : 0;
      const last = side === 1 || present === rows ? rows : present + 1;
      for (let b = 0; b < ranges; b++) {
        const base = b * width;
        const added = sums[base + classes]!;
        if (added === 0) continue;
        count += added;
        if (count >= last) break;
        let own = 0;
        let others = 0;
        let weight = 0;
        for (let c = 0; c < classes; c++) {
          const sum = left[c]! + sums[base + c]!;
          const rest = total[c]! - sum;
          left[c] = sum;
          weight += sum;
          own += sum * sum;
          others += rest * rest;
        }
        if (count < minRows) continue;
        if (rows - count < minRows) break;
        const score = own / weight + others / (this.#weight - weight);
        if (!(score > best.score)) continue;
        found = true;
        best.score = score;
        best.rank = low + ((b + 1) << shift) - 1;
        best.missingLeft = present < rows ? side === 1 : 2 * count >= rows;
      }
    }
    return found;
  }

  #fill(feature: CountedFeature): void {
    const { ranks, rows } = feature;
    const sums = this.#sums;
    const classes = this.#classes;
    const weights = this.#weights;
    const width = this.outputs + 1;
    for (let i = 0; i < rows; i++) {
      const base = rangeOf(ranks[i]!, feature) * width;
      sums[base + classes[i]!]! += weights[i]!;
      sums[base + width - 1]! += 1;
    }
  }
}

function sumOfSquares(sums: Float64Array): number {
  let squares = 0;
  for (let c = 0; c < sums.length; c++) squares += sums[c]! * sums[c]!;
  return squares;
}
