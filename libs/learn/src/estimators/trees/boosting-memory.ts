import { binCount } from "./binned-matrix.ts";

/** Numbers a histogram has for each bin: sum of gradients, sum of curvatures, rows. */
export const binWidth = 3;

/** Numbers a histogram has for each feature. */
export const featureWidth = binCount * binWidth;

/** Everything the search for splits works on. All of it may be shared between threads. */
export interface BoostingMemory {
  readonly rows: number;
  readonly cols: number;
  readonly bins: Uint8Array;
  /** Bins of values each feature has. */
  readonly binCounts: Int32Array;
  /** Rows, grouped by leaf. */
  readonly order: Int32Array;
  /** First and second derivatives of the loss, in the order of `order`. */
  readonly gradients: Float32Array;
  readonly curvatures: Float32Array;
  /** [slots × cols × featureWidth] */
  readonly histograms: Float64Array;
  /** What is to be done: see `jobFields`. */
  readonly job: Float64Array;
  /** The best split of each feature for both leaves of a job: [2 × cols × foundWidth], see `foundFields`. */
  readonly found: Float64Array;
}

/** Positions in `job`. A job builds the histograms of one leaf or of two and finds the best split of each. */
export const jobFields = {
  /** First leaf: its rows are order[from..to), its histogram goes to slot. */
  from: 0,
  to: 1,
  slot: 2,
  gradient: 3,
  curvature: 4,
  /** Second leaf; its slot is −1 when there is none. */
  otherFrom: 5,
  otherTo: 6,
  otherSlot: 7,
  otherGradient: 8,
  otherCurvature: 9,
  /** 1 when the second leaf's slot holds the parent's histogram, from which the first leaf's is to be taken away. */
  subtract: 10,
  l2: 11,
  minRows: 12,
  minCurvature: 13,
  /** 1 when every row has curvature 1, which then need not be summed. */
  evenCurvature: 14,
} as const;

/** Positions in an entry of `found`; a gain of −∞ means that there is no split. */
export const foundFields = { gain: 0, bin: 1, missingLeft: 2, gradient: 3, curvature: 4, rows: 5 } as const;
export const foundWidth = 6;

export function allocateBoosting(
  size: { rows: number; cols: number; ordered: number; slots: number; shared: boolean },
  bins: Uint8Array,
  binCounts: readonly number[],
): BoostingMemory {
  const bytes = (count: number) => (size.shared ? new SharedArrayBuffer(count) : new ArrayBuffer(count));
  const counts = new Int32Array(bytes(4 * size.cols));
  counts.set(binCounts);
  return {
    rows: size.rows,
    cols: size.cols,
    bins,
    binCounts: counts,
    order: new Int32Array(bytes(4 * size.ordered)),
    gradients: new Float32Array(bytes(4 * size.ordered)),
    curvatures: new Float32Array(bytes(4 * size.ordered)),
    histograms: new Float64Array(bytes(8 * size.slots * size.cols * featureWidth)),
    job: new Float64Array(bytes(8 * 16)),
    found: new Float64Array(bytes(8 * 2 * size.cols * foundWidth)),
  };
}
