import {
  TensorProto_DataLocation as DataLocation,
  type TensorProto,
  TensorProto_DataType as Type,
} from "@aimass/api/onnx";
import { sizeOf } from "./size.ts";
import { type Common, common } from "./value.ts";

/** Elements a constant may have to be read: shapes, axes, indices and scales are shorter. */
const mostElements = 64;

/** A constant of the graph: its shape, and its numbers when it is a short one of rank 0 or 1 of a type that lengths are computed in. */
export function constantValue(tensor: TensorProto): Common {
  const shape = tensor.dims.map((size) => sizeOf(Number(size)));
  const count = tensor.dims.reduce((product, size) => product * Number(size), 1);
  const [text] = tensor.stringData;
  if (text !== undefined && count === 1) return { ...common(shape), text: new TextDecoder().decode(text) };
  const numbers = shape.length > 1 || count > mostElements ? undefined : numbersOf(tensor, count);
  return common(
    shape,
    numbers?.map((number) => (Number.isFinite(number) ? sizeOf(number) : undefined)),
  );
}

function numbersOf(tensor: TensorProto, count: number): readonly number[] | undefined {
  if (tensor.dataLocation === DataLocation.EXTERNAL || tensor.externalData.length > 0) return undefined;
  const numbers = tensor.rawData.byteLength > 0 ? rawNumbers(tensor) : typedNumbers(tensor);
  return numbers?.length === count ? numbers : undefined;
}

function rawNumbers({ dataType, rawData }: TensorProto): readonly number[] | undefined {
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  const read = (bytes: number, at: (offset: number) => number) =>
    Array.from({ length: Math.floor(view.byteLength / bytes) }, (_, index) => at(index * bytes));
  switch (dataType) {
    case Type.INT64:
      return read(8, (offset) => Number(view.getBigInt64(offset, true)));
    case Type.INT32:
      return read(4, (offset) => view.getInt32(offset, true));
    case Type.FLOAT:
      return read(4, (offset) => view.getFloat32(offset, true));
    case Type.DOUBLE:
      return read(8, (offset) => view.getFloat64(offset, true));
    case Type.BOOL:
      return read(1, (offset) => view.getUint8(offset));
    default:
      return undefined;
  }
}

function typedNumbers(tensor: TensorProto): readonly number[] | undefined {
  switch (tensor.dataType) {
    case Type.INT64:
      return tensor.int64Data.map(Number);
    case Type.INT32:
    case Type.BOOL:
      return tensor.int32Data;
    case Type.FLOAT:
      return tensor.floatData;
    case Type.DOUBLE:
      return tensor.doubleData;
    default:
      return undefined;
  }
}
