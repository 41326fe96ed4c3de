import {
  type CountedFeature,
  type ForestNode,
  type FoundSplit,
  mostRanges,
  rangeOf,
  type SortedFeature,
} from "./forest-node.ts";

/** Sums of a range: weighted targets, weights, rows. */
const width = 3;

/** A node whose rows have numbers as targets; the score falls with the variance of the sides. */
export class NumberNode implements ForestNode {
  readonly outputs = 1;
  readonly #targets: Float64Array;
  readonly #values: Float64Array;
  readonly #weights: Float64Array;
  readonly #sums = new Float64Array((mostRanges + 1) * width);
  #sum = 0;
  #weight = 0;

  constructor(targets: Float64Array) {
    this.#targets = targets;
    this.#values = new Float64Array(targets.length);
    this.#weights = new Float64Array(targets.length);
  }

  read(order: Int32Array, from: number, to: number, weights: Float64Array): boolean {
    const targets = this.#targets;
    const first = targets[order[from]!]!;
    let isPure = true;
    let sum = 0;
    let total = 0;
    for (let i = from; i < to; i++) {
      const r = order[i]!;
      const weight = weights[r]!;
      const value = targets[r]!;
      if (value !== first) isPure = false;
      this.#weights[i - from] = weight;
      this.#values[i - from] = weight * value;
      sum += weight * value;
      total += weight;
    }
    this.#sum = sum;
    this.#weight = total;
    return isPure;
  }

  value(): number {
    return this.#sum / this.#weight;
  }

  score(): number {
    return (this.#sum * this.#sum) / this.#weight;
  }

  scan(feature: SortedFeature | CountedFeature, minRows: number, best: FoundSplit): boolean {
    return feature.kind === "sorted"
      ? this.#scanSorted(feature, minRows, best)
      : this.#scanCounted(feature, minRows, best);
  }

  /** Once with missing values on the right; if there are any, once more with them on the left. */
  #scanSorted({ keys, rows, present }: SortedFeature, minRows: number, best: FoundSplit): boolean {
    const values = this.#values;
    const weights = this.#weights;
    let found = false;
    for (let side = 0; side < (present < rows ? 2 : 1); side++) {
      let sum = 0;
      let weight = 0;
      for (let t = present; side === 1 && t < rows; t++) {
        sum += values[keys[t]! & 0xffff]!;
        weight += weights[keys[t]! & 0xffff]!;
      }
      const ahead = side === 1 ? rows - present : 0;
      const end = present < rows && side === 0 ? present : present - 1;
      for (let t = 0; t < end; t++) {
        const key = keys[t]!;
        sum += values[key & 0xffff]!;
        weight += weights[key & 0xffff]!;
        if (t + 1 < present && key >>> 16 === keys[t + 1]! >>> 16) continue;
        const left = ahead + t + 1;
        if (left < minRows) continue;
        if (rows - left < minRows) break;
        const other = this.#sum - sum;
        const score = (sum * sum) / weight + (other * other) / (this.#weight - weight);
        if (!(score > best.score)) continue;
        found = true;
        best.score = score;
        best.rank = key >>> 16;
        best.missingLeft = present < rows ? side === 1 : 2 * left >= rows;
      }
    }
    return found;
  }

  #scanCounted(feature: CountedFeature, minRows: number, best: FoundSplit): boolean {
    const { rows, present, low, shift, ranges } = feature;
    const sums = this.#sums.fill(0, 0, (ranges + 1) * width);
    this.#fill(feature);
    const missing = ranges * width;
    let found = false;
    for (let side = 0; side < (present < rows ? 2 : 1); side++) {
      let sum = side === 1 ? sums[missing]! : 0;
      let weight = side === 1 ? sums[missing + 1]! : 0;
      let left = side === 1 ? rows - present : 0;
      const last = side === 1 || present === rows ? rows : present + 1;
      for (let b = 0; b < ranges; b++) {
        const count = sums[b * width + 2]!;
        if (count === 0) continue;
        sum += sums[b * width]!;
        weight += sums[b * width + 1]!;
        left += count;
        if (left >= last) break;
        if (left < minRows) continue;
        if (rows - left < minRows) break;
        const other = this.#sum - sum;
        const score = (sum * sum) / weight + (other * other) / (this.#weight - weight);
        if (!(score > best.score)) continue;
        found = true;
        best.score = score;
        best.rank = low + ((b + 1) << shift) - 1;
        best.missingLeft = present < rows ? side === 1 : 2 * left >= rows;
      }
    }
    return found;
  }

  #fill(feature: CountedFeature): void {
    const { ranks, rows } = feature;
    const sums = this.#sums;
    const values = this.#values;
    const weights = this.#weights;
    for (let i = 0; i < rows; i++) {
      const b = rangeOf(ranks[i]!, feature) * width;
      sums[b]! += values[i]!;
      sums[b + 1]! += weights[i]!;
      sums[b + 2]! += 1;
    }
  }
}
