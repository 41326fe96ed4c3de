import { AimassError } from "@aimass/core";
import { badFile, badRow } from "../cells/bad-cell.ts";
import { quote } from "../schema.ts";
import type { Records } from "./records.ts";

/** The names of a file's columns, each its own. */
export interface Header {
  readonly names: readonly string[];
  /** Which of them the file does not name: they are called "column_3" after their place. */
  readonly unnamed: ReadonlySet<number>;
}

/** Reads the header row, and looks at the first row below it, which in files of R has a name of its row more than the header has cells. */
export async function readHeader(records: Records, delimiterGiven: boolean): Promise<Header> {
  const { scanner } = records;
  scanner.row = 0;
  if (!(await toRecord(records)))
    throw badFile("The file is empty.", "Upload a file with a header and at least one row.");
  const written = Array.from({ length: scanner.cells }, (_, cell) => records.text(cell).trim());
  records.take();
  checkNames(written, delimiterGiven);
  scanner.names = named(written).names;
  scanner.row = 1;
  if ((await toRecord(records)) && beginsWithRowName(records, written.length)) written.unshift("");
  scanner.row = 0;
  const header = named(written);
  scanner.names = header.names;
  return header;
}

/** Scans the next record without going past it; false at the end of the file. */
async function toRecord(records: Records): Promise<boolean> {
  while (!records.advance()) if (!(await records.fill())) return false;
  return true;
}

/** Between commas only where it is quoted, as R writes it: a number with thousands separators would look the same. */
function beginsWithRowName({ scanner, delimiter }: Records, width: number): boolean {
  return scanner.cells === width + 1 && (delimiter === "\t" || scanner.quoting[0] !== 0);
}

function named(written: readonly string[]): Header {
  const taken = new Set(written);
  const unnamed = new Set<number>();
  const names = written.map((name, index) => {
    if (name !== "") return name;
    unnamed.add(index);
    let given = `column_${index + 1}`;
    while (taken.has(given)) given += "_";
    taken.add(given);
    return given;
  });
  return { names, unnamed };
}

function checkNames(names: readonly string[], delimiterGiven: boolean): void {
  const firsts = new Map<string, number>();
  for (const [index, name] of names.entries()) {
    if (name === "") continue;
    const first = firsts.get(name);
    if (first !== undefined) {
      const problem = `columns ${first + 1} and ${index + 1} are both named ${quote(name)}`;
      throw badRow(0, undefined, problem, "Give every column a name of its own.");
    }
    firsts.set(name, index);
  }
  const [only] = names;
  const other = /[;\t|,]/.exec(names.length === 1 ? (only as string) : "")?.[0];
  if (other === undefined || delimiterGiven) return;
  throw new AimassError("INVALID_ARGUMENT", `The header has one column, ${quote(only as string)}.`, {
    reason: "BAD_FILE",
    field: "delimiter",
    remedy: `If cells are separated by ${JSON.stringify(other)}, name it as the delimiter, by --delimiter ${JSON.stringify(other)} (in the API: read.delimiter).`,
  });
}
