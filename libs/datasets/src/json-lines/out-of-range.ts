import { badCell } from "../cells/bad-cell.ts";

/** The refusal of a number such as 1e999. */
export function outOfRange(column: string, row: number, line: number): Error {
  const remedy = "Write numbers between -1.7e308 and 1.7e308.";
  return badCell({ row, line, column, problem: "the number is too large for a 64-bit float", remedy });
}
