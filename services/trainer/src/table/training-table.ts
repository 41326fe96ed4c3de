/** One row as numbers. The arrays are reused: copy what must outlive the step. */
export interface NumberRow {
  /** In the order of the table's features, rounded to FP32, as a served request would carry them. */
  readonly values: Float64Array;
  readonly target: number;
}

/** Rows of one part of a dataset that can be read again and again, each time streamed from the start. */
export interface TrainingTable {
  readonly features: readonly string[];
  readonly target: string;
  readonly rowCount: number;
  /** Errors: INVALID_ARGUMENT with row and column for a cell that is no number; what reading the dataset throws. */
  rows(signal: AbortSignal): AsyncIterable<NumberRow>;
}
