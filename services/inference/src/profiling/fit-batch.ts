import { BatchSearch, mebibytes } from "./batch-search.ts";
import type { ModelProfile } from "./model-profile.ts";

/** The batches that a version gets on this replica. */
export interface BatchFit {
  readonly maxBatchSize: number;
  /** Why that is less than was asked for; "" when it is not. */
  readonly why: string;
  /** What one session takes with batches of that size, in bytes; 0 when nothing was measured. */
  readonly sessionBytes: number;
  /** What one session takes with single rows, in bytes. */
  readonly leastBytes: number;
}

/** Chooses among the sizes of a profile by the memory that is left now: it may be less than when the profile was made. */
export function fitBatch(
  profile: ModelProfile,
  limits: { maxRows: number; runLimitMs: number; availableBytes: number },
): BatchFit {
  const { openBytes, runs, stopped } = profile;
  const single = runs[0];
  if (single === undefined)
    return { maxBatchSize: limits.maxRows, why: "", sessionBytes: openBytes, leastBytes: openBytes };
  const search = new BatchSearch({ ...limits, openBytes });
  for (const run of runs) search.ran(run);
  const largest = search.runs.at(-1) ?? single;
  const isAll = largest.rows === runs.at(-1)?.rows;
  const lack = `only ${mebibytes(limits.availableBytes)} of memory are left`;
  const why = largest.rows >= limits.maxRows ? "" : isAll ? stopped : lack;
  return { maxBatchSize: largest.rows, why, sessionBytes: largest.peakBytes, leastBytes: single.peakBytes };
}
