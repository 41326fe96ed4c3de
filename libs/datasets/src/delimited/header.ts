import { AimassError } from "@aimass/core";
import { badFile, badRow } from "../cells/bad-cell.ts";
import { quote } from "../schema.ts";
import type { Records } from "./records.ts";

/** Reads the header row: the names of the columns. */
export async function readHeader(records: Records, delimiterGiven: boolean): Promise<readonly string[]> {
  records.scanner.row = 0;
  while (!records.advance()) {
    if (!(await records.fill()))
      throw badFile("The file is empty.", "Upload a file with a header and at least one row.");
  }
  const names = Array.from({ length: records.scanner.cells }, (_, cell) => records.text(cell).trim());
  records.take();
  checkNames(names, delimiterGiven);
  records.scanner.names = names;
  return names;
}

function checkNames(names: readonly string[], delimiterGiven: boolean): void {
  const firsts = new Map<string, number>();
  for (const [index, name] of names.entries()) {
    if (name === "") throw badRow(0, undefined, `column ${index + 1} has no name`, "Give every column a name.");
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
    remedy: `If cells are separated by ${JSON.stringify(other)}, name it as the delimiter.`,
  });
}
