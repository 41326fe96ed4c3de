import { AimassError } from "@aimass/core";
import { quoted } from "./datatype.ts";
import { InputNames } from "./input-names.ts";
import type { JsonRange } from "./json-reader.ts";
import { mismatch } from "./predict-columns.ts";
import type { Means } from "./predict-means.ts";
import { badRow, type Column, leaveOut, newColumns, readCell, tensorOf } from "./row-columns.ts";
import type { SignatureView } from "./signature.ts";
import type { Tensor } from "./tensor.ts";

/** Keys of a row that are remembered for the next. */
const mostKnown = 20_000;

/** Where a key of the row before stood, and which column it is: rows mostly name the same columns in the same order. */
interface KnownKey {
  readonly key: JsonRange;
  readonly column: Column | undefined;
}

/**
 * Reads a list of objects, each a row: one element, or one list of the further axes' shape, for each input. Whether a row may leave a column out depends on
 * no other row: a gap is NaN or "", and an error where the data type has neither. Columns that are no inputs are passed over.
 */
export function readRows(means: Means): Tensor[] {
  const { reader } = means;
  const columns = newColumns(means);
  const names = new InputNames(columns, (column) => column.spec.name);
  const known: KnownKey[] = [];
  let rows = 0;
  reader.enter("list");
  for (; reader.more("list", rows === 0); rows++) {
    if (reader.kind() !== "object") {
      throw badRow(rows, `is a ${reader.kind()} among rows that are objects`, "Send all rows alike.");
    }
    readRow(means, { columns, names, known, row: rows });
  }
  return columns.flatMap((column) => tensorOf(column, rows));
}

interface RowState {
  readonly columns: readonly Column[];
  readonly names: InputNames<Column>;
  readonly known: KnownKey[];
  readonly row: number;
}

function readRow(means: Means, { columns, names, known, row }: RowState): void {
  const { reader, signature, passedOver } = means;
  let hasInput = false;
  let place = 0;
  reader.enter("object");
  for (; reader.more("object", place === 0); place++) {
    const key = reader.key();
    const before = known[place];
    let column = before?.column;
    if (before === undefined || !isSame(reader.bytes, key, before.key)) {
      const name = reader.text(key);
      column = names.find(name);
      if (place < mostKnown) known[place] = { key, column };
      if (column === undefined) passedOver.add(name);
    }
    if (column === undefined) reader.skip();
    else {
      if (column.lastRow === row)
        throw badRow(row, `names ${quoted(column.spec.name)} twice`, "Name every column once.");
      readCell(reader, column, row);
      hasInput = true;
    }
  }
  if (!hasInput && columns.some(({ spec }) => spec.optional !== true)) throw noColumn(signature, row);
  for (const column of columns) if (column.lastRow < row) leaveOut(column, row);
}

function isSame(bytes: Uint8Array, a: JsonRange, b: JsonRange): boolean {
  const length = a.end - a.start;
  if (length !== b.end - b.start) return false;
  for (let i = 0; i < length; i++) if (bytes[a.start + i] !== bytes[b.start + i]) return false;
  return true;
}

function noColumn(signature: SignatureView, row: number): AimassError {
  const [only] = signature.inputs;
  const isMatrix = signature.inputs.length === 1 && (only?.shape.length ?? 0) > 1 && Number(only?.shape[1]) !== 1;
  const error = mismatch(signature, `finds none of its inputs in row ${row + 1}`);
  if (!isMatrix) return error;
  return new AimassError("INVALID_ARGUMENT", error.message, {
    reason: "SIGNATURE_MISMATCH",
    remedy: `${error.remedy} Its columns have no names: send each row as a list of their values.`,
  });
}
