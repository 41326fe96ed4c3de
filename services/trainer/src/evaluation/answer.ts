import type { Batch } from "@aimass/learn";

/** What a model says of rows, whoever made it. */
export type Answer =
  | { readonly kind: "numbers"; readonly values: ArrayLike<number> }
  | {
      readonly kind: "classes";
      /** Per row the position of its class among the trained classes; −1 for another one. */
      readonly indices: Int32Array;
      /** [rows × classes], each row sums to 1; absent when the model tells labels alone. */
      readonly probabilities?: Float64Array;
    };

/** Something that answers for rows. */
export interface Predictor {
  predict(batch: Batch): Answer | Promise<Answer>;
}
