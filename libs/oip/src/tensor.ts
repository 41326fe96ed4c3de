import { type Datatype, elementSize } from "./datatype.ts";
import type { Parameters } from "./parameters.ts";

/** A tensor on its way in or out. */
export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /**
   * Row-major little-endian elements: BOOL 1 byte (0 or 1); BYTES as uint32 length ‖ bytes for each element.
   * Of a decoded message this is a view into the message, aligned to nothing: see `alignedView`.
   */
  readonly bytes: Uint8Array;
  readonly parameters?: Parameters;
}

/** One output a caller asks for. */
export interface RequestedOutput {
  readonly name: string;
  /** Answer the k best classes as BYTES "value:index[:label]". */
  readonly classification?: number;
  /** REST only: whether the output travels binary; undefined leaves it to the request's default. */
  readonly binary?: boolean;
  readonly parameters?: Parameters;
}

/** A decoded ModelInferRequest. */
export interface InferRequest {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly id: string;
  readonly parameters: Parameters;
  readonly inputs: readonly Tensor[];
  /** Empty: all outputs. */
  readonly outputs: readonly RequestedOutput[];
}

/** A ModelInferResponse before encoding, or after decoding. */
export interface InferResponse {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly id: string;
  readonly parameters?: Parameters;
  readonly outputs: readonly Tensor[];
}

/** The typed array that holds elements of each data type; FP16 and BF16 as their bits. */
interface ElementArrays {
  BOOL: Uint8Array;
  UINT8: Uint8Array;
  UINT16: Uint16Array;
  UINT32: Uint32Array;
  UINT64: BigUint64Array;
  INT8: Int8Array;
  INT16: Int16Array;
  INT32: Int32Array;
  INT64: BigInt64Array;
  FP16: Uint16Array;
  FP32: Float32Array;
  FP64: Float64Array;
  BF16: Uint16Array;
}

/** A data type whose elements all have one size. */
export type FixedDatatype = Exclude<Datatype, "BYTES">;

/** A typed array of any data type's elements. */
export type ElementArray = ElementArrays[FixedDatatype];

type ElementArrayConstructor = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => ElementArray;

const arrays: Record<FixedDatatype, ElementArrayConstructor> = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
  BF16: Uint16Array,
};

/** The same bytes at an address a typed array of `size`-byte elements accepts: the view itself when it is aligned, else a copy. */
export function alignedView(bytes: Uint8Array, size: number): Uint8Array {
  if (size < 2 || bytes.byteOffset % size === 0) return bytes;
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return copy;
}

/** The elements of a tensor of any type but BYTES as a typed array; shares memory with `bytes` when these are aligned. */
export function elementsOf<D extends FixedDatatype>(datatype: D, bytes: Uint8Array): ElementArrays[D] {
  const size = elementSize(datatype);
  const aligned = alignedView(bytes, size);
  const elements = new arrays[datatype](aligned.buffer, aligned.byteOffset, aligned.byteLength / size);
  return elements as ElementArrays[D];
}

/** The bytes of a typed array, without a copy. */
export function bytesOf(elements: ElementArray): Uint8Array {
  return new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
}
