import {
  bytesFromElements,
  bytesOf,
  type Datatype,
  type ElementArray,
  elementsOf,
  stringElements,
  type Tensor,
} from "@aimass/oip";
import { Tensor as OrtTensor } from "onnxruntime-node";
import { alignOffset, type PackedTensor, type PackedTensors } from "../batching/packed-tensors.ts";

/** ONNX Runtime's names of the data types it takes from JavaScript. BF16 is not among them: it travels as FP32, see `loadableModel`. */
const ortTypes: Partial<Record<Datatype, OrtTensor.Type>> = {
  BOOL: "bool",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  FP16: "float16",
  FP32: "float32",
  FP64: "float64",
  BYTES: "string",
};

const datatypeByOrtType = new Map(Object.entries(ortTypes).map(([datatype, type]) => [type, datatype as Datatype]));

/** Packed inputs as feeds of a run; numbers are read in place, but for BF16. Throws for BYTES that are not UTF-8. */
export function toFeeds(packed: PackedTensors): Record<string, OrtTensor> {
  // Without a prototype, so that no name is special.
  const feeds: Record<string, OrtTensor> = Object.create(null);
  for (const tensor of packed.tensors) feeds[tensor.name] = toOrtTensor(tensor, packed.buffer);
  return feeds;
}

function toOrtTensor({ name, datatype, shape, offset, length }: PackedTensor, buffer: ArrayBuffer): OrtTensor {
  const bytes = new Uint8Array(buffer, offset, length);
  if (datatype === "BYTES") return new OrtTensor("string", stringElements(bytes, name), shape);
  if (datatype === "BF16") return new OrtTensor("float32", widened(bytes), shape);
  const type = ortTypes[datatype] as OrtTensor.Type;
  return new OrtTensor(type, elementsOf(datatype, bytes) as OrtTensor.DataType, shape);
}

/** BF16 is the upper half of FP32. */
function widened(bytes: Uint8Array): Float32Array {
  const bits = Uint32Array.from(elementsOf("BF16", bytes) as Uint16Array, (half) => half << 16);
  return new Float32Array(bits.buffer);
}

/** FP32 that came out of a cast from BF16: its lower half is zero. */
function narrowed(values: Float32Array): Uint8Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return bytesOf(Uint16Array.from(bits, (word) => word >>> 16));
}

/** A run's outputs in one buffer of their own, in the order of `names`; those of `bfloat16` as BF16. */
export function packOutputs(
  outputs: Readonly<Record<string, OrtTensor>>,
  names: readonly string[],
  bfloat16: ReadonlySet<string>,
): PackedTensors {
  const parts = names.map((name) => outputTensor(name, outputs[name] as OrtTensor, bfloat16.has(name)));
  const tensors: PackedTensor[] = [];
  let end = 0;
  for (const { name, datatype, shape, bytes } of parts) {
    const offset = alignOffset(end);
    tensors.push({ name, datatype, shape, offset, length: bytes.byteLength });
    end = offset + bytes.byteLength;
  }
  const buffer = new ArrayBuffer(end);
  const all = new Uint8Array(buffer);
  parts.forEach((part, i) => {
    all.set(part.bytes, (tensors[i] as PackedTensor).offset);
  });
  return { buffer, tensors };
}

function outputTensor(name: string, tensor: OrtTensor, isBfloat16: boolean): Tensor {
  const shape = tensor.dims;
  if (isBfloat16) return { name, datatype: "BF16", shape, bytes: narrowed(tensor.data as Float32Array) };
  const datatype = datatypeByOrtType.get(tensor.type);
  if (datatype === undefined)
    throw new Error(`The output "${name}" is ${tensor.type}, which the protocol does not carry.`);
  const bytes =
    datatype === "BYTES" ? bytesFromElements(tensor.data as string[]) : bytesOf(tensor.data as unknown as ElementArray);
  return { name, datatype, shape, bytes };
}
