import { AimassError } from "@aimass/core";
import { quote } from "../schema.ts";

/** Where a bad cell stands and what is wrong with it. */
export interface BadCell {
  /** Row of data from 1; the header is not counted. */
  readonly row: number;
  /** Line of the file from 1, where the format has lines. */
  readonly line?: number | undefined;
  readonly column: string;
  readonly value?: string | undefined;
  /** Ends the sentence after the value, for instance "is not a number". */
  readonly problem: string;
  readonly remedy: string;
}

/** The refusal of one cell: `Row 17 (line 18), column "age": "1,234" is not a number.` */
export function badCell(cell: BadCell): AimassError {
  const where = `${place(cell.row, cell.line)}, column ${quote(cell.column)}`;
  const what = cell.value === undefined ? cell.problem : `${quote(cell.value)} ${cell.problem}`;
  return new AimassError("INVALID_ARGUMENT", `${where}: ${what}.`, {
    reason: "BAD_CELL",
    field: `rows[${cell.row}].${cell.column}`,
    remedy: cell.remedy,
  });
}

/** The refusal of a whole row. */
export function badRow(row: number, line: number | undefined, problem: string, remedy: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `${place(row, line)}: ${problem}.`, {
    reason: "BAD_ROW",
    field: `rows[${row}]`,
    remedy,
  });
}

/** The refusal of a whole file. */
export function badFile(problem: string, remedy: string, cause?: unknown): AimassError {
  const facts = cause === undefined ? {} : { cause };
  return new AimassError("INVALID_ARGUMENT", problem, { reason: "BAD_FILE", remedy, ...facts });
}

/** How to have a column as the text that stands in the file. */
export function keepAsText(column: string): string {
  return `To keep it as text, declare it so: --type ${inShell(`${column}=string`)} (in the API: read.types).`;
}

/** A word as a shell takes it. */
export function inShell(word: string): string {
  return /^[\w=.:/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function place(row: number, line: number | undefined): string {
  const named = row === 0 ? "The header" : `Row ${row}`;
  return line === undefined || row === 0 ? named : `${named} (line ${line})`;
}
