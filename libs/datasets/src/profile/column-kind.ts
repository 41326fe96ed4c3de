import type { ColumnProfile } from "./column-profile.ts";

/** What a column holds, to someone who learns from it. */
export type ColumnKind = "number" | "boolean" | "category" | "text" | "date" | "datetime" | "id" | "image";

/** The kind of a profiled column. A column without any value is of the kind of its type, strings a category. */
export function columnKind({ type, statistics }: Pick<ColumnProfile, "type" | "statistics">): ColumnKind {
  if (statistics.kind === "string") return statistics.looks;
  if (statistics.kind === "number" && statistics.looks !== undefined) return statistics.looks;
  return type === "string" ? "category" : type;
}
