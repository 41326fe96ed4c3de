import type { AimassError } from "@aimass/core";
import { badFile, inShell } from "./cells/bad-cell.ts";
import type { Limits } from "./limits.ts";
import type { InferredColumn } from "./profile/inference.ts";
import { type ColumnSchema, type DatasetSchema, quote } from "./schema.ts";

/** A column for each number of a column of lists: "vector_0", "vector_1", or where the file has such a name "vector[0]". */
export function elementColumns(source: string, length: number, taken: ReadonlySet<string>): ColumnSchema[] {
  const names = Array.from({ length }, (_, element) => `${source}_${element}`);
  const isTaken = names.some((name) => taken.has(name));
  return names.map((name, element) => ({
    name: isTaken ? `${source}[${element}]` : name,
    type: "number",
    source,
    element,
  }));
}

/** What is said of a column of lists that became a column for each number. */
export function listSpread(name: string, length: number): string {
  return `Column ${quote(name)} holds lists of ${length} numbers; they are columns of their own: ${quote(`${name}_0`)} and so on.`;
}

/** What is said of a column that is left out because no model takes what it holds. */
export function unfitLeftOut(name: string, what: string): string {
  return `Column ${quote(name)} ${what}, which no model takes; it is left out. Say so to be rid of this warning: --without ${inShell(name)} (in the API: read.without).`;
}

export function tooLong(length: number, limits: Limits): string {
  return `holds lists of ${length.toLocaleString("en")} numbers (the limit is ${limits.columns.toLocaleString("en")} columns)`;
}

/** The refusal of a file in which no column is of use. */
export function nothingFit(unfit: readonly (readonly [string, string])[]): AimassError {
  const why = unfit.slice(0, 10).map(([name, what]) => `column ${quote(name)} ${what}`);
  const remedy = "Write flat columns of numbers, texts or truths, or lists of equal length of numbers.";
  return badFile(`The file has no column that a model takes${why.length > 0 ? `: ${why.join("; ")}` : ""}.`, remedy);
}

/** Statistics under the names and places that their columns have in the file. */
export function withSources(columns: readonly InferredColumn[], { columns: schema }: DatasetSchema): InferredColumn[] {
  return columns.map((column, index) => {
    const { source, element } = schema[index] as ColumnSchema;
    return source === undefined || element === undefined
      ? column
      : { ...column, profile: { ...column.profile, source, element } };
  });
}
