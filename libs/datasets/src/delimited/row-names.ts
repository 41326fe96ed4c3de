import type { ReaderContext } from "../format-reader.ts";
import type { ColumnProfile } from "../profile/column-profile.ts";
import type { InferredColumn } from "../profile/inference.ts";
import { indexLeftOut, isPandasIndex, rowNamesLeftOut } from "../row-name-columns.ts";
import { quote } from "../schema.ts";
import type { Header } from "./header.ts";

/** Above 1024 different values their number is an estimate. */
const nearlyAll = 0.95;

/**
 * Leaves out what is no data: row names, which pandas and R write as a first column without a name, the index of pandas by its name, and columns that have
 * neither name nor value, which spreadsheets write. Columns that are declared stay; a table is never its row names alone.
 */
export function withoutRowNames(
  columns: readonly InferredColumn[],
  { names, unnamed }: Header,
  { keepIndex, types, choice }: Pick<ReaderContext, "keepIndex" | "types" | "choice">,
): { kept: readonly InferredColumn[]; notes: readonly string[] } {
  const notes: string[] = [];
  const places = new Map(names.map((name, index) => [name, index]));
  const kept = columns.filter(({ profile }) => {
    const { name } = profile;
    const index = places.get(name) as number;
    if (types.has(name) || choice.names(name)) return true;
    if (isPandasIndex(name) && !keepIndex) return leaveOut(indexLeftOut(name));
    if (!unnamed.has(index)) return true;
    if (profile.count === 0) return leaveOut(`Column ${index + 1} has neither a name nor a value and is left out.`);
    if (index === 0 && !keepIndex && namesRows(profile)) {
      return leaveOut(rowNamesLeftOut(profile.frequent?.values[0]?.value ?? ""));
    }
    notes.push(`Column ${index + 1} has no name; it is called ${quote(name)}.`);
    return true;
  });
  if (kept.length > 0) return { kept, notes };
  const filled = columns.filter(({ profile }) => profile.count > 0);
  return { kept: filled.length > 0 ? filled : columns, notes: [] };

  function leaveOut(note: string): false {
    notes.push(note);
    return false;
  }
}

/** Whole numbers or texts that all differ. */
function namesRows({ count, missing, distinct, statistics }: ColumnProfile): boolean {
  if (missing > 0 || distinct === undefined) return false;
  const differ = distinct.exact ? distinct.count === count : distinct.count >= nearlyAll * count;
  return differ && (statistics.kind === "string" || (statistics.kind === "number" && statistics.integers));
}
