/** What the codecs need of a model's signature; `aimass.registry.v1.Signature` has this shape. */
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
}
