import { missingBin } from "./binned-matrix.ts";
import { type BoostingMemory, binWidth, featureWidth, foundFields, foundWidth, jobFields } from "./boosting-memory.ts";

/** Features that are worked on together. */
export const featuresTogether = 2;

/** Does the job in `memory.job` for up to two features from `first` on: histograms of the leaves, then the best split of each. */
export function workOnFeatures(memory: BoostingMemory, first: number): void {
  const { job } = memory;
  const last = Math.min(first + featuresTogether, memory.cols) - 1;
  fillHistograms(memory, first, last, {
    from: job[jobFields.from]!,
    to: job[jobFields.to]!,
    slot: job[jobFields.slot]!,
  });
  const otherSlot = job[jobFields.otherSlot]!;
  const other = { from: job[jobFields.otherFrom]!, to: job[jobFields.otherTo]!, slot: otherSlot };
  if (otherSlot >= 0 && job[jobFields.subtract] === 0) fillHistograms(memory, first, last, other);
  for (let feature = first; feature <= last; feature++) finishFeature(memory, feature);
}

/** Whatever comes after the rows have been gone through. */
function finishFeature(memory: BoostingMemory, feature: number): void {
  const { job, cols, histograms } = memory;
  const own = (job[jobFields.slot]! * cols + feature) * featureWidth;
  findSplit(memory, feature, {
    at: own,
    entry: feature * foundWidth,
    gradient: job[jobFields.gradient]!,
    curvature: job[jobFields.curvature]!,
    rows: job[jobFields.to]! - job[jobFields.from]!,
  });
  const otherSlot = job[jobFields.otherSlot]!;
  if (otherSlot < 0) return;
  const other = (otherSlot * cols + feature) * featureWidth;
  if (job[jobFields.subtract] === 1) {
    for (let i = 0; i < featureWidth; i++) histograms[other + i]! -= histograms[own + i]!;
  }
  findSplit(memory, feature, {
    at: other,
    entry: (cols + feature) * foundWidth,
    gradient: job[jobFields.otherGradient]!,
    curvature: job[jobFields.otherCurvature]!,
    rows: job[jobFields.otherTo]! - job[jobFields.otherFrom]!,
  });
}

function fillHistograms(
  memory: BoostingMemory,
  first: number,
  last: number,
  { from, to, slot }: { from: number; to: number; slot: number },
): void {
  const { bins, rows, order, gradients } = memory;
  const at = (slot * memory.cols + first) * featureWidth;
  const histogram = memory.histograms.subarray(at, at + (last - first + 1) * featureWidth);
  histogram.fill(0);
  const a = bins.subarray(first * rows, (first + 1) * rows);
  const b = bins.subarray(last * rows, (last + 1) * rows);
  const isEven = memory.job[jobFields.evenCurvature] === 1;
  const curvatures = isEven ? undefined : memory.curvatures;
  if (first === last) fillOne(histogram, a, order, gradients, curvatures, from, to);
  else if (curvatures === undefined) fillTwoEven(histogram, a, b, order, gradients, from, to);
  else fillTwo(histogram, a, b, order, gradients, curvatures, from, to);
  if (isEven) for (let i = 0; i < histogram.length; i += binWidth) histogram[i + 1] = histogram[i + 2]!;
}

/** Two features in one pass: rows and derivatives are loaded once, and the sums of the two do not wait for each other. Twice as fast as one by one. */
function fillTwo(
  histogram: Float64Array,
  columnA: Uint8Array,
  columnB: Uint8Array,
  order: Int32Array,
  gradients: Float32Array,
  curvatures: Float32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const r = order[i]!;
    const a = columnA[r]! * binWidth;
    const b = columnB[r]! * binWidth + featureWidth;
    const gradient = gradients[i]!;
    const curvature = curvatures[i]!;
    histogram[a]! += gradient;
    histogram[a + 1]! += curvature;
    histogram[a + 2]! += 1;
    histogram[b]! += gradient;
    histogram[b + 1]! += curvature;
    histogram[b + 2]! += 1;
  }
}

function fillTwoEven(
  histogram: Float64Array,
  columnA: Uint8Array,
  columnB: Uint8Array,
  order: Int32Array,
  gradients: Float32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const r = order[i]!;
    const a = columnA[r]! * binWidth;
    const b = columnB[r]! * binWidth + featureWidth;
    const gradient = gradients[i]!;
    histogram[a]! += gradient;
    histogram[a + 2]! += 1;
    histogram[b]! += gradient;
    histogram[b + 2]! += 1;
  }
}

function fillOne(
  histogram: Float64Array,
  column: Uint8Array,
  order: Int32Array,
  gradients: Float32Array,
  curvatures: Float32Array | undefined,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const b = column[order[i]!]! * binWidth;
    histogram[b]! += gradients[i]!;
    if (curvatures !== undefined) histogram[b + 1]! += curvatures[i]!;
    histogram[b + 2]! += 1;
  }
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
