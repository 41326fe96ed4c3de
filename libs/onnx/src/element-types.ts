import { TensorProto_DataType as Type } from "@aimass/api/onnx";

/** One element type in the three vocabularies: ONNX's number, the Open Inference Protocol's name, ONNX Runtime's name in JavaScript. */
export interface ElementType {
  readonly onnx: Type;
  readonly datatype: Datatype;
  /** Absent for BF16, which ONNX Runtime does not take from JavaScript: see `adaptBfloat16`. */
  readonly runtime?: RuntimeType;
  /** Bytes an element takes in `raw_data`; 0 for strings. */
  readonly size: number;
}

/** Data types of the protocol that an ONNX tensor can have. */
export type Datatype =
  | "BOOL"
  | "UINT8"
  | "UINT16"
  | "UINT32"
  | "UINT64"
  | "INT8"
  | "INT16"
  | "INT32"
  | "INT64"
  | "FP16"
  | "FP32"
  | "FP64"
  | "BYTES"
  | "BF16";

export type RuntimeType =
  | "bool"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "float16"
  | "float32"
  | "float64"
  | "string";

/** Every element type the protocol can carry. */
export const elementTypes: readonly ElementType[] = [
  { onnx: Type.BOOL, datatype: "BOOL", runtime: "bool", size: 1 },
  { onnx: Type.UINT8, datatype: "UINT8", runtime: "uint8", size: 1 },
  { onnx: Type.UINT16, datatype: "UINT16", runtime: "uint16", size: 2 },
  { onnx: Type.UINT32, datatype: "UINT32", runtime: "uint32", size: 4 },
  { onnx: Type.UINT64, datatype: "UINT64", runtime: "uint64", size: 8 },
  { onnx: Type.INT8, datatype: "INT8", runtime: "int8", size: 1 },
  { onnx: Type.INT16, datatype: "INT16", runtime: "int16", size: 2 },
  { onnx: Type.INT32, datatype: "INT32", runtime: "int32", size: 4 },
  { onnx: Type.INT64, datatype: "INT64", runtime: "int64", size: 8 },
  { onnx: Type.FLOAT16, datatype: "FP16", runtime: "float16", size: 2 },
  { onnx: Type.FLOAT, datatype: "FP32", runtime: "float32", size: 4 },
  { onnx: Type.DOUBLE, datatype: "FP64", runtime: "float64", size: 8 },
  { onnx: Type.STRING, datatype: "BYTES", runtime: "string", size: 0 },
  { onnx: Type.BFLOAT16, datatype: "BF16", size: 2 },
];

const byOnnx = new Map(elementTypes.map((type) => [type.onnx as number, type]));
const byDatatype = new Map(elementTypes.map((type) => [type.datatype, type]));

/** The element type of an ONNX number; undefined for what the protocol cannot carry (complex, FP8, 4-bit types). */
export function elementTypeOfOnnx(onnx: number): ElementType | undefined {
  return byOnnx.get(onnx);
}

export function elementTypeOf(datatype: Datatype): ElementType {
  return byDatatype.get(datatype) as ElementType;
}

/** ONNX's own name of an element type, for people. */
export function onnxTypeName(onnx: number): string {
  return Type[onnx] ?? `type ${onnx}`;
}
