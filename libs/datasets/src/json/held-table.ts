import { badFile } from "../cells/bad-cell.ts";
import { quote } from "../schema.ts";
import { type Part, ValueCursor } from "./value-cursor.ts";
import { lineOf, onOneLine } from "./value-end.ts";

const rowsAtOnce = 256;
const remedy = 'Write an array of objects; in pandas: to_json("FILE.json", orient="records").';

/** The rows of an object of objects by row, as lines. */
export function* recordLines(rows: readonly Part[], notes: Set<string>): Generator<Buffer> {
  for (const [row, { name, value }] of rows.entries()) {
    noteName(String(name), row, notes);
    yield Buffer.concat([onOneLine(value), Buffer.from("\n")]);
  }
}

/** The rows of an object of columns, each an object by row or a list, as lines. */
export function* columnLines(columns: readonly Part[], notes: Set<string>): Generator<Buffer> {
  const names = columns.map(({ name }) => lineOf(name as Buffer));
  const cursors = columns.map(({ value }) => new ValueCursor(value));
  let lines: string[] = [];
  for (let row = 0; ; row++) {
    const cells = cursors.map((cursor) => cursor.next());
    const first = cells[0];
    const odd = cells.findIndex((cell) => String(cell?.name) !== String(first?.name) || !cell !== !first);
    if (odd >= 0) throw unlike(names[odd] as string, names[0] as string, row);
    if (first === undefined) break;
    if (first.name !== undefined) noteName(String(first.name), row, notes);
    lines.push(`{${cells.map((cell, at) => `${names[at]}:${lineOf((cell as Part).value)}`).join(",")}}\n`);
    if (lines.length < rowsAtOnce) continue;
    yield Buffer.from(lines.join(""));
    lines = [];
  }
  if (lines.length > 0) yield Buffer.from(lines.join(""));
}

function unlike(column: string, first: string, row: number): Error {
  return badFile(`Columns ${first} and ${column} have different rows from row ${row + 1} on.`, remedy);
}

/** Rows that are called otherwise than by their number have names, which are no column. */
function noteName(name: string, row: number, notes: Set<string>): void {
  if (notes.size > 0 || name === `"${row}"`) return;
  notes.add(
    `The rows have names, such as ${quote(name.slice(1, -1))}, which are left out. To have them as a column: reset_index() in pandas.`,
  );
}
