import type { CellMeaning } from "./cell-meaning.ts";

/** What the codecs need of a model's signature. */
export interface SignatureView {
  readonly inputs: readonly TensorSpecView[];
  readonly outputs: readonly TensorSpecView[];
}

/** One input or output of a model. */
export interface TensorSpecView {
  readonly name: string;
  readonly datatype: string;
  /** -1 for a dynamic axis. */
  readonly shape: readonly (bigint | number)[];
  readonly optional?: boolean;
  /** Of an input that stands for a column of data: what its cells mean. */
  readonly cells?: CellMeaning | undefined;
  /** Of an output of class scores: the classes, in the order of its last axis. */
  readonly labels?: readonly string[];
}
