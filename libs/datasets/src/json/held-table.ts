import { badFile } from "../cells/bad-cell.ts";
import { type Limits, overLimit } from "../limits.ts";
import { linePieces } from "../line-pieces.ts";
import { quote } from "../schema.ts";
import { type LayoutOptions, layoutOf } from "./table-layout.ts";
import { columnsOf, isList, isObject, type Part, partsOf, ValueCursor } from "./value-cursor.ts";
import { lineOf, onOneLine } from "./value-end.ts";

const remedy = 'Write an array of objects; in pandas: to_json("FILE.json", orient="records").';

/** The rows of a whole object in memory, as lines: of columns, of rows by name, or one row. */
export function* heldLines(whole: Buffer, options: LayoutOptions, notes: Set<string>): Generator<Buffer, void> {
  const holds = (isKind: (value: Buffer) => boolean) => {
    let holdsAny = false;
    for (const { value } of partsOf(whole)) {
      if (!isKind(value)) return false;
      holdsAny = true;
    }
    return holdsAny;
  };
  if (holds(isList)) yield* linePieces(columnLines(whole, options.limits, notes));
  else if (holds(isObject)) {
    const { areRows, doubt } = layoutOf(whole, options);
    if (doubt !== undefined) notes.add(doubt);
    yield* areRows ? recordLines(whole, options.limits, notes) : linePieces(columnLines(whole, options.limits, notes));
  } else yield Buffer.concat([onOneLine(whole), Buffer.from("\n")]);
}

/** The rows of an object of objects by row. */
function* recordLines(whole: Buffer, limits: Limits, notes: Set<string>): Generator<Buffer, void> {
  const names = new RowNames(notes);
  let row = 0;
  for (const { name, value } of partsOf(whole)) {
    names.add(name as Buffer, row++);
    checkSize(row, value.length, limits);
    yield Buffer.concat([onOneLine(value), Buffer.from("\n")]);
  }
}

/** The rows of an object of columns, each an object by row or a list. */
function* columnLines(whole: Buffer, limits: Limits, notes: Set<string>): Generator<string, void> {
  const columns = columnsOf(whole, limits);
  const names = columns.map(({ name }) => lineOf(name as Buffer));
  const namesBytes = columns.reduce((sum, { name }) => sum + (name as Buffer).length + 2, 0);
  const cursors = columns.map(({ value }) => new ValueCursor(value));
  const rowNames = new RowNames(notes);
  for (let row = 0; ; row++) {
    const cells = cursors.map((cursor) => cursor.next());
    const first = cells[0];
    const odd = cells.findIndex((cell) => String(cell?.name) !== String(first?.name) || !cell !== !first);
    if (odd >= 0) throw unlike(names[odd] as string, names[0] as string, row);
    if (first === undefined) break;
    if (first.name !== undefined) rowNames.add(first.name, row);
    const size = (cells as Part[]).reduce((sum, { value }) => sum + value.length, namesBytes);
    checkSize(row + 1, size, limits);
    yield `{${cells.map((cell, at) => `${names[at]}:${lineOf((cell as Part).value)}`).join(",")}}\n`;
  }
}

/** Before the row is made of what is held. */
function checkSize(row: number, bytes: number, limits: Limits): void {
  if (bytes > limits.rowBytes)
    throw overLimit("rowBytes", limits, `Row ${row} has at least ${bytes.toLocaleString("en")} bytes`);
}

function unlike(column: string, first: string, row: number): Error {
  return badFile(`Columns ${first} and ${column} have different rows from row ${row + 1} on.`, remedy);
}

/** Rows that are called otherwise than by their number have names, which are no column. */
class RowNames {
  readonly #notes: Set<string>;
  #isTold = false;

  constructor(notes: Set<string>) {
    this.#notes = notes;
  }

  add(name: Buffer, row: number): void {
    const written = this.#isTold ? "" : String(name);
    if (this.#isTold || written === `"${row}"`) return;
    this.#isTold = true;
    this.#notes.add(
      `The rows have names, such as ${quote(written.slice(1, -1))}, which are left out. To have them as a column: reset_index() in pandas.`,
    );
  }
}
