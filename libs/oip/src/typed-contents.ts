import { AimassError } from "@aimass/core";
import { bytesFromElements } from "./bytes-elements.ts";
import { type Datatype, elementSize, formatShape, quoted } from "./datatype.ts";
import type { ByteBudget } from "./element-sink.ts";
import type { ContentsRange, TensorHeader } from "./tensor-header.ts";
import { type WireReader, wire } from "./wire-reader.ts";

/** Names of InferTensorContents' lists by field number. */
const listNames = [
  "",
  "bool_contents",
  "int_contents",
  "int64_contents",
  "uint_contents",
  "uint64_contents",
  "fp32_contents",
  "fp64_contents",
  "bytes_contents",
] as const;

/** The list each data type travels in; FP16 and BF16 have none. */
const listOf: Partial<Record<Datatype, number>> = {
  BOOL: 1,
  INT8: 2,
  INT16: 2,
  INT32: 2,
  INT64: 3,
  UINT8: 4,
  UINT16: 4,
  UINT32: 4,
  UINT64: 5,
  FP32: 6,
  FP64: 7,
  BYTES: 8,
};

/** One stretch of a list: a packed run of many elements, or a single one. */
interface Run {
  readonly start: number;
  readonly end: number;
}

/** Whether any list of the contents has an element. */
export function hasElements(reader: WireReader, ranges: readonly ContentsRange[]): boolean {
  let found = false;
  eachRun(reader, ranges, (_field, run, packed) => {
    if (!packed || run.end > run.start) found = true;
  });
  return found;
}

/**
 * Typed contents as raw little-endian bytes: a view where the packed list already is that (FP32, FP64, BOOL of single bytes), else converted.
 * Throws INVALID_ARGUMENT when the elements stand in another type's list, are not `count`, or do not fit the type.
 */
export function contentsToBytes(
  reader: WireReader,
  header: TensorHeader,
  datatype: Datatype,
  { count, budget }: { count: number; budget: ByteBudget },
): Uint8Array {
  const list = listOf[datatype];
  const runs: Run[] = [];
  eachRun(reader, header.contents, (field, run, packed) => {
    if (packed && run.end === run.start) return;
    if (field !== list) throw wrongList(header.name, datatype, field);
    runs.push(run);
  });
  const given = countElements(reader, runs, datatype);
  if (given !== count) throw wrongCount(header, datatype, given, count);
  budget.take(datatype === "BYTES" ? 0 : count * elementSize(datatype));
  if (datatype === "BYTES") return bytesFromElements(runs.map((run) => reader.bytes.subarray(run.start, run.end)));
  if (datatype === "FP32" || datatype === "FP64") return joinRuns(reader, runs);
  if (datatype === "BOOL" && runs.length === 1 && isZeroOrOne(reader, runs[0] as Run, count)) {
    return joinRuns(reader, runs);
  }
  return convertVarints(reader, runs, { name: header.name, datatype, count });
}

function eachRun(
  reader: WireReader,
  ranges: readonly ContentsRange[],
  visit: (field: number, run: Run, packed: boolean) => void,
): void {
  const { at, end } = reader;
  for (const range of ranges) {
    reader.at = range.start;
    reader.end = range.end;
    while (!reader.done) readRun(reader, visit);
  }
  reader.at = at;
  reader.end = end;
}

function readRun(reader: WireReader, visit: (field: number, run: Run, packed: boolean) => void): void {
  const tag = reader.tag();
  const field = tag >>> 3;
  const type = tag & 7;
  if (field > 8) {
    reader.skip(tag);
    return;
  }
  if (type === wire.length) {
    const length = reader.length();
    reader.at += length;
    visit(field, { start: reader.at - length, end: reader.at }, field !== 8);
    return;
  }
  const single = field === 6 ? wire.fixed32 : field === 7 ? wire.fixed64 : field === 8 ? wire.length : wire.varint;
  reader.expect(tag, single, listNames[field] as string);
  const start = reader.at;
  reader.skip(tag);
  visit(field, { start, end: reader.at }, false);
}

function countElements(reader: WireReader, runs: readonly Run[], datatype: Datatype): number {
  if (datatype === "BYTES") return runs.length;
  let count = 0;
  for (const run of runs) {
    if (datatype === "FP32" || datatype === "FP64") {
      const size = elementSize(datatype);
      if ((run.end - run.start) % size !== 0)
        throw reader.malformed("a list whose length is no multiple of its elements");
      count += (run.end - run.start) / size;
    } else {
      for (let at = run.start; at < run.end; at++) if ((reader.bytes[at] as number) < 0x80) count++;
    }
  }
  return count;
}

function joinRuns(reader: WireReader, runs: readonly Run[]): Uint8Array {
  const views = runs.map((run) => reader.bytes.subarray(run.start, run.end));
  return views.length === 1 ? (views[0] as Uint8Array) : Buffer.concat(views);
}

function isZeroOrOne(reader: WireReader, run: Run, count: number): boolean {
  if (run.end - run.start !== count) return false;
  for (let at = run.start; at < run.end; at++) if ((reader.bytes[at] as number) > 1) return false;
  return true;
}

interface Target {
  readonly name: string;
  readonly datatype: Datatype;
  readonly count: number;
}

function convertVarints(reader: WireReader, runs: readonly Run[], target: Target): Uint8Array {
  const size = elementSize(target.datatype);
  const out = Buffer.alloc(target.count * size);
  const { at, end } = reader;
  let index = 0;
  for (const run of runs) {
    reader.at = run.start;
    reader.end = run.end;
    for (; !reader.done; index++) writeVarint(reader, out, index, target);
  }
  reader.at = at;
  reader.end = end;
  return out;
}

function writeVarint(reader: WireReader, out: Buffer, index: number, target: Target): void {
  const low = reader.varint64();
  switch (target.datatype) {
    case "BOOL":
      out[index] = low !== 0 || reader.high !== 0 ? 1 : 0;
      return;
    case "INT64":
    case "UINT64":
      out.writeUInt32LE(low, index * 8);
      out.writeUInt32LE(reader.high, index * 8 + 4);
      return;
    case "INT32":
      out.writeInt32LE(low | 0, index * 4);
      return;
    case "UINT32":
      out.writeUInt32LE(low, index * 4);
      return;
    case "INT16":
      out.writeInt16LE(checked(low | 0, -0x8000, 0x7fff, target), index * 2);
      return;
    case "UINT16":
      out.writeUInt16LE(checked(low, 0, 0xffff, target), index * 2);
      return;
    case "INT8":
      out.writeInt8(checked(low | 0, -0x80, 0x7f, target), index);
      return;
    default:
      out[index] = checked(low, 0, 0xff, target);
  }
}

function checked(value: number, least: number, most: number, target: Target): number {
  if (value >= least && value <= most) return value;
  const message = `Tensor ${quoted(target.name)} has the element ${value}, which ${target.datatype} cannot hold.`;
  throw new AimassError("INVALID_ARGUMENT", message, {
    reason: "ELEMENT_OUT_OF_RANGE",
    field: target.name,
    remedy: `Elements of ${target.datatype} are ${least} to ${most}.`,
  });
}

function wrongList(name: string, datatype: Datatype, field: number): AimassError {
  const right = listOf[datatype];
  const message = `Tensor ${quoted(name)} of ${datatype} has its elements in ${listNames[field] || `field ${field}`}.`;
  const remedy =
    right === undefined
      ? `${datatype} has no typed list: send it in raw_input_contents.`
      : `Put ${datatype} elements in ${listNames[right]}, or send them in raw_input_contents.`;
  return new AimassError("INVALID_ARGUMENT", message, { reason: "WRONG_CONTENTS_FIELD", field: name, remedy });
}

function wrongCount(header: TensorHeader, datatype: Datatype, given: number, count: number): AimassError {
  const type = `${datatype}${formatShape(header.shape)}`;
  const message = `Tensor ${quoted(header.name)} of ${type} has ${given} elements instead of ${count}.`;
  return new AimassError("INVALID_ARGUMENT", message, {
    reason: "WRONG_ELEMENT_COUNT",
    field: header.name,
    remedy: "Send as many elements as the shape says, in contents or in raw_input_contents.",
  });
}
