/** The names of classes as the served model answers them: text (BYTES) or whole numbers (INT64). Position in `values` is the class's index. */
export type ClassLabels =
  | { readonly datatype: "BYTES"; readonly values: readonly string[] }
  | { readonly datatype: "INT64"; readonly values: readonly bigint[] };

/** What is to be predicted: a number per row, or the index of a class per row. */
export type Targets = NumericTargets | ClassTargets;

export interface NumericTargets {
  readonly kind: "numbers";
  readonly values: Float64Array;
}

export interface ClassTargets {
  readonly kind: "classes";
  /** Per row, the position of its class in `labels.values`. A class may have no rows (in a fold, say). */
  readonly indices: Int32Array;
  readonly labels: ClassLabels;
}

/** What a fitted estimator says of rows. */
export type Prediction = NumericPrediction | ClassPrediction;

export interface NumericPrediction {
  readonly kind: "numbers";
  readonly values: Float64Array;
}

export interface ClassPrediction {
  readonly kind: "classes";
  /** Per row the index of the class it most likely has. */
  readonly indices: Int32Array;
  /** [rows × classes], row-major; each row sums to 1. */
  readonly probabilities: Float64Array;
  readonly labels: ClassLabels;
}
