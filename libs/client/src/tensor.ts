import { AimassError } from "@aimass/core/errors";

/** How the elements of each data type are held. FP16 and BF16 are their bits. */
export interface Elements {
  readonly BOOL: Uint8Array;
  readonly UINT8: Uint8Array;
  readonly UINT16: Uint16Array;
  readonly UINT32: Uint32Array;
  readonly UINT64: BigUint64Array;
  readonly INT8: Int8Array;
  readonly INT16: Int16Array;
  readonly INT32: Int32Array;
  readonly INT64: BigInt64Array;
  readonly FP16: Uint16Array;
  readonly BF16: Uint16Array;
  readonly FP32: Float32Array;
  readonly FP64: Float64Array;
  readonly BYTES: readonly string[];
}

export type TensorDatatype = keyof Elements;

/** A tensor, row-major. */
export interface Tensor<D extends TensorDatatype = TensorDatatype> {
  readonly datatype: D;
  readonly shape: readonly number[];
  readonly data: Elements[D];
}

const arrays = {
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
  BF16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

/** A tensor of elements; numbers become those of the data type. Throws INVALID_ARGUMENT when there are not as many as the shape says. */
export function tensor<D extends TensorDatatype>(
  datatype: D,
  shape: readonly number[],
  elements: Elements[D] | ArrayLike<number>,
): Tensor<D> {
  const size = shape.reduce((product, axis) => product * axis, 1);
  if (elements.length !== size) {
    throw new AimassError("INVALID_ARGUMENT", `There are ${elements.length} elements for the shape [${shape}].`, {
      remedy: `Give ${size} of them.`,
    });
  }
  return { datatype, shape, data: heldAs(datatype, elements) as Elements[D] };
}

function heldAs(datatype: TensorDatatype, elements: Elements[TensorDatatype] | ArrayLike<number>): unknown {
  if (datatype === "BYTES") return Array.from(elements as ArrayLike<string>, String);
  const array = arrays[datatype];
  if (elements instanceof array) return elements;
  if (array === BigInt64Array || array === BigUint64Array) {
    return array.from(Array.from(elements as ArrayLike<number | bigint>, BigInt));
  }
  return (array as Float64ArrayConstructor).from(elements as ArrayLike<number>);
}

/** The bytes of a tensor as `raw_input_contents` has them: little-endian; of BYTES each element after its length as uint32. */
export function rawContents({ datatype, data }: Tensor): Uint8Array {
  if (datatype !== "BYTES") {
    const { buffer, byteOffset, byteLength } = data as Uint8Array;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  const texts = (data as readonly string[]).map((text) => new TextEncoder().encode(text));
  const bytes = new Uint8Array(texts.reduce((sum, text) => sum + 4 + text.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const text of texts) {
    view.setUint32(at, text.length, true);
    bytes.set(text, at + 4);
    at += 4 + text.length;
  }
  return bytes;
}

/** The inverse of `rawContents`, for an answer of the mesh. Throws DATA_LOSS when the bytes are something else. */
export function tensorOf(datatype: string, shape: readonly number[], bytes: Uint8Array): Tensor {
  if (datatype === "BYTES") return { datatype, shape, data: textsOf(bytes) };
  const array = arrays[datatype as keyof typeof arrays];
  if (array === undefined || bytes.byteLength % array.BYTES_PER_ELEMENT !== 0) throw notATensor(datatype);
  // A copy begins where any element may.
  const { buffer } = bytes.slice();
  return { datatype: datatype as keyof typeof arrays, shape, data: new array(buffer) };
}

/** A byte order mark is a character like others. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function textsOf(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 > bytes.length ? Number.POSITIVE_INFINITY : at + 4 + view.getUint32(at, true);
    if (end > bytes.length) throw notATensor("BYTES");
    texts.push(utf8.decode(bytes.subarray(at + 4, end)));
    at = end;
  }
  return texts;
}

function notATensor(datatype: string): AimassError {
  return new AimassError("DATA_LOSS", `The answer holds bytes that are no tensor of ${datatype.slice(0, 20)}.`);
}
