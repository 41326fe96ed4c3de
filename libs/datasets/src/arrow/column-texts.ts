import { badFile } from "../cells/bad-cell.ts";
import { dayText, momentText, timeText } from "../cells/iso-text.ts";
import { decimalText } from "../parquet/decimals.ts";
import { quote } from "../schema.ts";
import type { ArrowField } from "./arrow-file.ts";
import type { BatchParts } from "./batch-reader.ts";
import type { FlatTable } from "./flat-table.ts";
import { offsetTexts, type Texts, viewTexts } from "./utf8-texts.ts";

/** Of Arrow's union `Type`: which buffers an array has behind its bits of validity, and before its children. Those that are not here cannot be gone past. */
const buffersOf: Readonly<Record<number, number>> = {
  ...{ 2: 1, 3: 1, 4: 2, 5: 2, 6: 1, 7: 1, 8: 1, 9: 1, 10: 1, 11: 1, 12: 1, 13: 0 },
  ...{ 15: 1, 16: 0, 17: 1, 18: 1, 19: 2, 20: 2, 21: 1, 23: 1, 24: 1, 25: 2, 26: 2 },
};

/** Of a second, by Arrow's enum `TimeUnit`. */
const units = [1n, 1_000n, 1_000_000n, 1_000_000_000n];

const nothing: Texts = () => "null";

/** The next column of a batch as JSON; what no model takes is an empty object. `values`: of the dictionary it refers to. */
export function columnTexts(
  field: ArrowField,
  parts: BatchParts,
  dictionaries: ReadonlyMap<number, readonly string[]>,
): Texts {
  if (field.dictionary === undefined) return valueTexts(field, parts);
  const { id, index } = field.dictionary;
  const values = dictionaries.get(id) ?? [];
  const length = parts.node();
  const valid = validity(parts.buffer());
  const at = integers(integerKind(index), parts.buffer());
  return (row) => (row < length && valid(row) ? (values[Number(at(row))] ?? outside(field)) : "null");
}

/** The next array of a batch, none of a dictionary, as JSON. */
export function valueTexts(field: ArrowField, parts: BatchParts): Texts {
  const { kind } = field;
  parts.node();
  if (kind === 1) return nothing;
  const buffers = buffersOf[kind];
  if (buffers === undefined) {
    throw badFile(
      `Column ${quote(field.name)} is of a kind of Arrow (${kind}) that is not read.`,
      "Write the file without it.",
    );
  }
  const valid = validity(parts.buffer());
  const texts = plainTexts(field, parts) ?? listTexts(field, parts) ?? skipped(field, parts, buffers);
  return (row) => (valid(row) ? texts(row) : "null");
}

function plainTexts(field: ArrowField, parts: BatchParts): Texts | undefined {
  const { kind, type } = field;
  switch (kind) {
    case 2: {
      const at = integers(integerKind(type), parts.buffer());
      return (row) => String(at(row));
    }
    case 3:
      return floats(type?.short(0) ?? 0, parts.buffer());
    case 5:
    case 20:
      return offsetTexts(field, parts, offsets(kind === 20, parts.buffer()));
    case 6: {
      const bits = parts.buffer();
      return (row) => String(isSet(bits, row));
    }
    case 7:
      return decimals(type?.int(1) ?? 0, (type?.int(2, 128) ?? 128) / 8, parts.buffer());
    case 8:
      return dates(type?.short(0, 1) === 0, parts.buffer());
    case 9: {
      const at = integers({ bits: type?.int(1, 32) ?? 32, isSigned: true }, parts.buffer());
      const unit = units[type?.short(0, 1) ?? 1] ?? 1n;
      return (row) => JSON.stringify(timeText(BigInt(at(row)), unit));
    }
    case 10: {
      const data = parts.buffer();
      const unit = units[type?.short(0) ?? 0] ?? 1n;
      return (row) => JSON.stringify(momentText(data.getBigInt64(8 * row, true), unit));
    }
    case 24:
      return viewTexts(field, parts);
    default:
      return undefined;
  }
}

/** Lists of numbers. */
function listTexts({ kind, type, children }: ArrowField, parts: BatchParts): Texts | undefined {
  const [child] = children;
  const isOfNumbers = child !== undefined && child.dictionary === undefined && (child.kind === 2 || child.kind === 3);
  if (!isOfNumbers || (kind !== 12 && kind !== 16 && kind !== 21)) return undefined;
  const each = type?.int(0) ?? 0;
  const bounds = kind === 16 ? (row: number) => row * each : offsets(kind === 21, parts.buffer());
  const values = valueTexts(child, parts);
  return (row) => {
    const [from, to] = [bounds(row), bounds(row + 1)];
    if (!(to >= from && to - from <= 1_000_000)) throw new RangeError("a list lies outside");
    return `[${Array.from({ length: to - from }, (_, i) => values(from + i)).join(",")}]`;
  };
}

/** Goes past an array that no model takes. */
function skipped(field: ArrowField, parts: BatchParts, buffers: number): Texts {
  parts.skip(buffers);
  if (field.kind === 23 || field.kind === 24) parts.skip(parts.views());
  for (const child of field.children) columnTexts(child, parts, new Map());
  return () => "{}";
}

interface IntegerKind {
  readonly bits: number;
  readonly isSigned: boolean;
}

function integerKind(type: FlatTable | undefined): IntegerKind {
  return { bits: type?.int(0) ?? 32, isSigned: type === undefined || type.byte(1) === 1 };
}

function integers({ bits, isSigned }: IntegerKind, data: DataView): (row: number) => number | bigint {
  switch (bits) {
    case 8:
      return (row) => (isSigned ? data.getInt8(row) : data.getUint8(row));
    case 16:
      return (row) => (isSigned ? data.getInt16(2 * row, true) : data.getUint16(2 * row, true));
    case 32:
      return (row) => (isSigned ? data.getInt32(4 * row, true) : data.getUint32(4 * row, true));
    default:
      return (row) => (isSigned ? data.getBigInt64(8 * row, true) : data.getBigUint64(8 * row, true));
  }
}

function floats(precision: number, data: DataView): Texts {
  if (precision === 2) return (row) => numberText(data.getFloat64(8 * row, true));
  if (precision === 1) return (row) => numberText(data.getFloat32(4 * row, true));
  return (row) => numberText(halfOf(data.getUint16(2 * row, true)));
}

function halfOf(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Infinity
          : Number.NaN
        : (1024 + fraction) * 2 ** (exponent - 25);
  return bits >= 0x8000 ? -size : size;
}

/** JSON has no infinity: what is too large for any double is refused as such where it is read. */
function numberText(value: number): string {
  if (Number.isNaN(value)) return "null";
  if (!Number.isFinite(value)) return value > 0 ? "1e999" : "-1e999";
  return Object.is(value, -0) ? "-0" : String(value);
}

function decimals(scale: number, bytes: number, data: DataView): Texts {
  if (![4, 8, 16, 32].includes(bytes)) throw new RangeError("no such decimal");
  return (row) => {
    let unscaled = 0n;
    for (let at = bytes - 4; at >= 0; at -= 4)
      unscaled = (unscaled << 32n) | BigInt(data.getUint32(row * bytes + at, true));
    return decimalText(BigInt.asIntN(bytes * 8, unscaled), scale);
  };
}

function dates(areDays: boolean, data: DataView): Texts {
  return (row) =>
    JSON.stringify(
      dayText(areDays ? data.getInt32(4 * row, true) : Number(data.getBigInt64(8 * row, true)) / 86_400_000),
    );
}

function offsets(areLong: boolean, data: DataView): (row: number) => number {
  return (row) => (areLong ? Number(data.getBigInt64(8 * row, true)) : data.getInt32(4 * row, true));
}

/** Whether rows have a value; all do where the bits are left out. */
function validity(bits: DataView): (row: number) => boolean {
  return bits.byteLength === 0 ? () => true : (row) => isSet(bits, row);
}

function isSet(bits: DataView, row: number): boolean {
  return ((bits.getUint8(row >> 3) >> (row & 7)) & 1) === 1;
}

function outside({ name }: ArrowField): never {
  throw badFile(
    `The Arrow file is damaged: column ${quote(name)} refers to a value that is not there.`,
    "Write it anew.",
  );
}
