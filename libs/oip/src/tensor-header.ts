import type { Parameters } from "./parameters.ts";

/** An input or output as it stood in the message: its data may come later, in a raw entry. */
export interface TensorHeader {
  readonly name: string;
  readonly datatypeName: string;
  readonly shape: readonly number[];
  readonly parameters: Parameters;
  /** Where its typed contents stand; several when the message repeats the field, which protobuf merges. */
  readonly contents: readonly ContentsRange[];
}

/** Where one InferTensorContents message stands in the body. */
export interface ContentsRange {
  readonly start: number;
  readonly end: number;
}
