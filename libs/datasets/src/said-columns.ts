import type { ReaderContext } from "./format-reader.ts";
import type { DatasetSchema } from "./schema.ts";

/** What is said of the columns of a file before it is looked at. */
export interface SaidColumns {
  /** Whether a column has this name: by the schema, or because it was chosen or its type declared. */
  readonly isColumn: (name: string) => boolean;
  /** Whether a column that pandas wrote as the index stays. */
  readonly keepsIndex: (name: string) => boolean;
}

/** `schema`: as in `OpenRows`. */
export function saidColumns(
  { keepIndex, types, choice }: Pick<ReaderContext, "keepIndex" | "types" | "choice">,
  schema?: DatasetSchema,
): SaidColumns {
  const known = schema && new Set(schema.columns.map(({ name, source }) => source ?? name));
  const isColumn = (name: string) => known?.has(name) ?? (types.has(name) || choice.names(name));
  return { isColumn, keepsIndex: (name) => isColumn(name) || (keepIndex && known === undefined) };
}
