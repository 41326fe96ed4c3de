import { FlatTable } from "./flat-table.ts";

const duration = 18;

/**
 * The columns that hold durations, or lists of them, by the schema that Arrow's writers keep beside a Parquet file: Parquet itself has them as whole numbers of a unit
 * that stands there alone. `kept`: the value of the key ARROW:schema, an IPC message in base64. None where it cannot be read.
 */
export function durationColumns(kept: string | undefined): ReadonlySet<string> {
  if (kept === undefined) return new Set();
  try {
    const message = Buffer.from(kept, "base64");
    // Before the format's version 0.15 there was no mark before the length.
    const prefix = message.readInt32LE(0) === -1 ? 8 : 4;
    const fields = FlatTable.root(message.subarray(prefix)).table(2)?.tables(1) ?? [];
    return new Set(fields.filter(isDuration).map((field) => field.text(0)));
  } catch {
    return new Set();
  }
}

function isDuration(field: FlatTable): boolean {
  return field.byte(2) === duration || field.tables(5).some((child) => child.byte(2) === duration);
}
