import { AimassError } from "@aimass/core";
import { countBytesElements } from "./bytes-elements.ts";
import { type Datatype, elementCount, elementSize, formatShape, maxRank, parseDatatype, quoted } from "./datatype.ts";
import type { ByteBudget } from "./element-sink.ts";
import { expectLength, ParameterCollector } from "./read-parameters.ts";
import type { Tensor } from "./tensor.ts";
import type { ContentsRange, TensorHeader } from "./tensor-header.ts";
import { contentsToBytes, hasElements } from "./typed-contents.ts";
import { type WireReader, wire } from "./wire-reader.ts";

const noContents: readonly ContentsRange[] = [];

/** Reads InferInputTensor or InferOutputTensor: the two have the same fields. */
export function readTensorHeader(reader: WireReader): TensorHeader {
  const outer = reader.enter();
  let name = "";
  let datatypeName = "";
  const shape: number[] = [];
  const collector = new ParameterCollector();
  let contents: ContentsRange[] | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        expectLength(reader, tag, "a tensor's name");
        name = reader.name();
        break;
      case 2:
        expectLength(reader, tag, "a tensor's datatype");
        datatypeName = reader.name();
        break;
      case 3:
        readShape(reader, tag, shape);
        break;
      case 4:
        expectLength(reader, tag, "a tensor's parameters");
        collector.read(reader);
        break;
      case 5: {
        expectLength(reader, tag, "a tensor's contents");
        const outerOfContents = reader.enter();
        contents ??= [];
        contents.push({ start: reader.at, end: reader.end });
        reader.at = reader.end;
        reader.leave(outerOfContents);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  reader.leave(outer);
  return { name, datatypeName, shape, parameters: collector.parameters, contents: contents ?? noContents };
}

/** A tensor whose data is a raw entry. Throws INVALID_ARGUMENT when type, shape and length do not agree. */
export function tensorFromRaw(header: TensorHeader, bytes: Uint8Array): Tensor {
  const datatype = parseDatatype(header.datatypeName, header.name);
  checkByteLength(header.name, datatype, header.shape, bytes);
  return { name: header.name, datatype, shape: header.shape, bytes, parameters: header.parameters };
}

/** A tensor whose data is in its typed contents. */
export function tensorFromContents(reader: WireReader, header: TensorHeader, budget: ByteBudget): Tensor {
  const { name, shape, parameters } = header;
  const datatype = parseDatatype(header.datatypeName, name);
  const bytes = contentsToBytes(reader, header, datatype, { count: elementCount(shape, name), budget });
  return { name, datatype, shape, bytes, parameters };
}

/** Whether a tensor carries elements in its typed contents. */
export function hasTypedData(reader: WireReader, header: TensorHeader): boolean {
  return header.contents.length > 0 && hasElements(reader, header.contents);
}

/**
 * Throws INVALID_ARGUMENT unless `bytes` holds exactly the elements of that shape: product × size bytes, or for BYTES
 * that many length-prefixed elements.
 */
export function checkByteLength(name: string, datatype: Datatype, shape: readonly number[], bytes: Uint8Array): void {
  const count = elementCount(shape, name);
  if (datatype === "BYTES") {
    const given = countBytesElements(bytes, name);
    if (given !== count) throw wrongLength(name, datatype, shape, `${given} elements`, `${count} elements`);
    return;
  }
  const expected = count * elementSize(datatype);
  if (bytes.byteLength === expected) return;
  throw wrongLength(name, datatype, shape, `${bytes.byteLength} bytes`, `${expected} bytes`);
}

function wrongLength(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  given: string,
  expected: string,
): AimassError {
  const message = `Tensor ${quoted(name)} of ${datatype}${formatShape(shape)} carries ${given} instead of ${expected}.`;
  return new AimassError("INVALID_ARGUMENT", message, {
    reason: "WRONG_BYTE_LENGTH",
    field: name,
    remedy: "Data is row-major and as long as the shape says.",
  });
}

function readShape(reader: WireReader, tag: number, shape: number[]): void {
  if ((tag & 7) === wire.varint) {
    pushAxis(reader, shape);
    return;
  }
  expectLength(reader, tag, "a tensor's shape");
  const outer = reader.enter();
  while (!reader.done) pushAxis(reader, shape);
  reader.leave(outer);
}

function pushAxis(reader: WireReader, shape: number[]): void {
  if (shape.length >= maxRank) throw reader.malformed(`a shape of more than ${maxRank} axes`);
  shape.push(reader.int64AsNumber());
}
