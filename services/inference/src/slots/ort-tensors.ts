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

/** ONNX Runtime's names of the data types it takes from JavaScript. BF16 is not among them. */
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

/** Packed inputs as feeds of a run; numbers are read in place. Throws for BYTES that are not UTF-8 and for BF16. */
export function toFeeds(packed: PackedTensors): Record<string, OrtTensor> {
  const feeds: Record<string, OrtTensor> = {};
  for (const tensor of packed.tensors) feeds[tensor.name] = toOrtTensor(tensor, packed.buffer);
  return feeds;
}

function toOrtTensor({ name, datatype, shape, offset, length }: PackedTensor, buffer: ArrayBuffer): OrtTensor {
  const bytes = new Uint8Array(buffer, offset, length);
  if (datatype === "BYTES") return new OrtTensor("string", stringElements(bytes, name), shape);
  const type = ortTypes[datatype];
  if (type === undefined) throw new Error(`ONNX Runtime takes no ${datatype} tensors from this runtime.`);
  return new OrtTensor(type, elementsOf(datatype, bytes) as OrtTensor.DataType, shape);
}

/** A run's outputs in one buffer of their own, in the order of `names`. */
export function packOutputs(outputs: Readonly<Record<string, OrtTensor>>, names: readonly string[]): PackedTensors {
  const parts = names.map((name) => outputTensor(name, outputs[name] as OrtTensor));
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

function outputTensor(name: string, tensor: OrtTensor): Tensor {
  const datatype = datatypeByOrtType.get(tensor.type);
  if (datatype === undefined)
    throw new Error(`The output "${name}" is ${tensor.type}, which the protocol does not carry.`);
  const bytes =
    datatype === "BYTES" ? bytesFromElements(tensor.data as string[]) : bytesOf(tensor.data as unknown as ElementArray);
  return { name, datatype, shape: tensor.dims, bytes };
}
