import { readFileSync } from "node:fs";
import { type TensorProto, TensorProtoSchema } from "@aimass/api/onnx";
import { bytesFromElements, type Tensor } from "@aimass/oip";
import { elementTypeOfOnnx } from "@aimass/onnx";
import { fromBinary } from "@bufbuild/protobuf";

/** Reads a tensor as ONNX stores one. Throws when its element type is none the protocol carries. */
export function readTensorFile(file: string, name: string): Tensor {
  const proto = fromBinary(TensorProtoSchema, readFileSync(file));
  const type = elementTypeOfOnnx(proto.dataType);
  if (type === undefined) throw new Error(`${file} has element type ${proto.dataType}.`);
  return { name, datatype: type.datatype, shape: proto.dims.map(Number), bytes: bytesOfProto(proto, type.size) };
}

function bytesOfProto(proto: TensorProto, size: number): Uint8Array {
  if (size === 0) return bytesFromElements(proto.stringData);
  if (proto.rawData.length > 0) return proto.rawData;
  if (proto.floatData.length > 0) return new Uint8Array(Float32Array.from(proto.floatData).buffer);
  if (proto.doubleData.length > 0) return new Uint8Array(Float64Array.from(proto.doubleData).buffer);
  if (proto.int64Data.length > 0) return new Uint8Array(BigInt64Array.from(proto.int64Data).buffer);
  if (proto.uint64Data.length > 0) return fitted(proto.uint64Data.map(Number), proto.uint64Data, size);
  return narrowed(proto.int32Data, size);
}

/** uint64_data holds UINT64 and UINT32. */
function fitted(numbers: readonly number[], exact: readonly bigint[], size: number): Uint8Array {
  return new Uint8Array(size === 8 ? BigUint64Array.from(exact).buffer : Uint32Array.from(numbers).buffer);
}

/** int32_data holds every smaller type, FP16 and BF16 as their bits. */
function narrowed(values: readonly number[], size: number): Uint8Array {
  if (size === 1) return Uint8Array.from(values, (value) => value & 0xff);
  if (size === 2) return new Uint8Array(Uint16Array.from(values, (value) => value & 0xffff).buffer);
  return new Uint8Array(Int32Array.from(values).buffer);
}
