import { missingBin } from "./binned-matrix.ts";
import { type BoostingMemory, binWidth, featureWidth, foundFields, foundWidth, jobFields } from "./boosting-memory.ts";

/** Does the job in `memory.job` for one feature: histograms of the leaves, then the best split of each. */
export function workOnFeature(memory: BoostingMemory, feature: number): void {
  const { job, cols, histograms } = memory;
  const first = job[jobFields.slot]! * cols * featureWidth + feature * featureWidth;
  const even = job[jobFields.evenCurvature] === 1;
  fillHistogram(memory, feature, { from: job[jobFields.from]!, to: job[jobFields.to]!, at: first, even });
  findSplit(memory, feature, {
    at: first,
    entry: feature * foundWidth,
    gradient: job[jobFields.gradient]!,
    curvature: job[jobFields.curvature]!,
    rows: job[jobFields.to]! - job[jobFields.from]!,
  });
  const otherSlot = job[jobFields.otherSlot]!;
  if (otherSlot < 0) return;
  const other = otherSlot * cols * featureWidth + feature * featureWidth;
  const from = job[jobFields.otherFrom]!;
  const to = job[jobFields.otherTo]!;
  if (job[jobFields.subtract] === 1) {
    for (let i = 0; i < featureWidth; i++) histograms[other + i]! -= histograms[first + i]!;
  } else {
    fillHistogram(memory, feature, { from, to, at: other, even });
  }
  findSplit(memory, feature, {
    at: other,
    entry: (cols + feature) * foundWidth,
    gradient: job[jobFields.otherGradient]!,
    curvature: job[jobFields.otherCurvature]!,
    rows: to - from,
  });
}

function fillHistogram(
  { bins, order, gradients, curvatures, histograms, rows }: BoostingMemory,
  feature: number,
  { from, to, at, even }: { from: number; to: number; at: number; even: boolean },
): void {
  const column = bins.subarray(feature * rows, (feature + 1) * rows);
  const histogram = histograms.subarray(at, at + featureWidth);
  histogram.fill(0);
  if (even) fillEven(histogram, column, order, gradients, from, to);
  else fill(histogram, column, order, gradients, curvatures, from, to);
}

function fill(
  histogram: Float64Array,
  column: Uint8Array,
  order: Int32Array,
  gradients: Float32Array,
  curvatures: Float32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const b = column[order[i]!]! * binWidth;
    histogram[b]! += gradients[i]!;
    histogram[b + 1]! += curvatures[i]!;
    histogram[b + 2]! += 1;
  }
}

function fillEven(
  histogram: Float64Array,
  column: Uint8Array,
  order: Int32Array,
  gradients: Float32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const b = column[order[i]!]! * binWidth;
    histogram[b]! += gradients[i]!;
    histogram[b + 2]! += 1;
  }
  for (let b = 0; b < featureWidth; b += binWidth) histogram[b + 1] = histogram[b + 2]!;
}

interface LeafSums {
  /** Where the histogram starts. */
  readonly at: number;
  /** Where in `found` the result goes. */
  readonly entry: number;
  readonly gradient: number;
  readonly curvature: number;
  readonly rows: number;
}

/** The bin after which to part the leaf so that the loss falls most (Chen and Guestrin 2016, "XGBoost", equation 7), missing values to either side. */
function findSplit(memory: BoostingMemory, feature: number, leaf: LeafSums): void {
  const { found, job } = memory;
  const histogram = memory.histograms.subarray(leaf.at, leaf.at + featureWidth);
  const count = memory.binCounts[feature]!;
  const l2 = job[jobFields.l2]!;
  const minRows = job[jobFields.minRows]!;
  const minCurvature = job[jobFields.minCurvature]!;
  const missing = missingBin * binWidth;
  const missingRows = histogram[missing + 2]!;
  const own = (leaf.gradient * leaf.gradient) / (leaf.curvature + l2);
  let best = own;
  let bestBin = -1;
  let bestSide = 0;
  let bestGradient = 0;
  let bestCurvature = 0;
  let bestRows = 0;
  // Once with missing values on the right; if there are any, once more with them on the left.
  for (let side = 0; side < (missingRows > 0 ? 2 : 1); side++) {
    let gradient = side === 1 ? histogram[missing]! : 0;
    let curvature = side === 1 ? histogram[missing + 1]! : 0;
    let rows = side === 1 ? missingRows : 0;
    // Behind the last bin there is something to part off only where missing values stay right.
    const end = missingRows > 0 && side === 0 ? count : count - 1;
    for (let b = 0; b < end; b++) {
      const i = b * binWidth;
      gradient += histogram[i]!;
      curvature += histogram[i + 1]!;
      rows += histogram[i + 2]!;
      if (rows < minRows || curvature < minCurvature) continue;
      const otherCurvature = leaf.curvature - curvature;
      if (leaf.rows - rows < minRows || otherCurvature < minCurvature) break;
      const otherGradient = leaf.gradient - gradient;
      const score = (gradient * gradient) / (curvature + l2) + (otherGradient * otherGradient) / (otherCurvature + l2);
      if (score <= best) continue;
      best = score;
      bestBin = b;
      bestSide = side;
      bestGradient = gradient;
      bestCurvature = curvature;
      bestRows = rows;
    }
  }
  const { entry } = leaf;
  found[entry + foundFields.gain] = bestBin < 0 ? Number.NEGATIVE_INFINITY : best - own;
  found[entry + foundFields.bin] = bestBin;
  // Where no value was missing, one that will be goes where more rows went.
  found[entry + foundFields.missingLeft] = missingRows > 0 ? bestSide : bestRows * 2 >= leaf.rows ? 1 : 0;
  found[entry + foundFields.gradient] = bestGradient;
  found[entry + foundFields.curvature] = bestCurvature;
  found[entry + foundFields.rows] = bestRows;
}
