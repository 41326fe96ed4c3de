import { quote } from "./schema.ts";

const keep = "Keep it with --keep-index (in the API: read.keep_index).";

/** The name that pandas gives an index without one; other programs pass it on. */
export function isPandasIndex(name: string): boolean {
  return /^__index_level_\d+__$/.test(name);
}

/** What is said of a column that is left out because pandas wrote it as the index of a table. */
export function indexLeftOut(name: string): string {
  return `Column ${quote(name)} is the index that pandas wrote; it names rows and is left out. ${keep}`;
}

/** What is said of a first column without a name that is left out. */
export function rowNamesLeftOut(example: string): string {
  return `The first column has no name and another value in every row, such as ${quote(example)}: it names rows and is left out. ${keep}`;
}

/** `index_columns` of what pandas keeps in a file; an index that only counts is told as an object and is no column. */
export function pandasIndex(json: string | undefined): readonly string[] {
  try {
    const { index_columns: index } = JSON.parse(json ?? "{}") as { readonly index_columns?: unknown };
    return Array.isArray(index) ? index.filter((name) => typeof name === "string") : [];
  } catch {
    return [];
  }
}
