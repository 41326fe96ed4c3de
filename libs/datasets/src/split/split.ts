import { AimassError } from "@aimass/core";
import type { Batch } from "../batch.ts";
import type { Dataset } from "../dataset.ts";
import { assignRows } from "./assign.ts";
import { type RowAssignment, unassigned } from "./assignment.ts";
import { type RowKeys, readRowKeys } from "./row-keys.ts";
import { checkSplitSpec, partNames, type SplitSpec, sharesOf } from "./split-spec.ts";

/** How a split was made: together with the dataset's digest, enough to make it again. Plain JSON. */
export interface SplitDescription {
  /** Changes when the same specification would give other parts. */
  readonly algorithm: "exact-1" | "grouped-1" | "time-1";
  readonly spec: SplitSpec;
  /** Rows by part. */
  readonly rows: Readonly<Record<string, number>>;
  /** Rows of each class by part, for at most 1 000 classes. */
  readonly classes?: readonly { readonly name: string; readonly rows: readonly number[] }[];
}

/** A split: says of every row which part it belongs to, and how it came about. */
export interface Split extends RowAssignment {
  readonly description: SplitDescription;
}

const describedClasses = 1000;

/**
 * A split with exact shares: reads the key columns once, then knows the part of every row (one byte each).
 * Errors: INVALID_ARGUMENT for a specification or column that does not fit.
 */
export async function planSplit(dataset: Dataset, spec: SplitSpec, signal?: AbortSignal): Promise<Split> {
  checkSplitSpec(spec);
  const keys = await readRowKeys(dataset, spec, signal);
  const parts = assignRows({ keys, shares: sharesOf(spec), seed: spec.seed });
  return {
    parts: partNames,
    columns: [],
    description: describe(spec, keys, parts),
    partsOf: (batch) => slice(parts, batch),
  };
}

/** The part codes of a batch's rows among those of all rows. */
export function slice(parts: Uint8Array, { firstRow, rows }: Batch): Uint8Array {
  if (firstRow + rows <= parts.length) return parts.subarray(firstRow, firstRow + rows);
  throw new AimassError("FAILED_PRECONDITION", `The split knows ${parts.length} rows, but the file has more.`, {
    remedy: "Plan the split on the same file that is read.",
  });
}

function describe(spec: SplitSpec, keys: RowKeys, parts: Uint8Array): SplitDescription {
  const rows = new Array<number>(partNames.length).fill(0);
  const classes = keys.classNames.map((name) => ({ name, rows: new Array<number>(partNames.length).fill(0) }));
  for (let row = 0; row < parts.length; row++) {
    const part = parts[row] as number;
    if (part === unassigned) continue;
    rows[part] = (rows[part] as number) + 1;
    const counts = classes[keys.classes?.[row] ?? -1]?.rows;
    if (counts !== undefined) counts[part] = (counts[part] as number) + 1;
  }
  const algorithm = spec.timeBy !== undefined ? "time-1" : spec.groupBy !== undefined ? "grouped-1" : "exact-1";
  const stratified = spec.stratifyBy !== undefined && classes.length <= describedClasses;
  const byName = Object.fromEntries(partNames.map((name, part) => [name, rows[part] as number]));
  return { algorithm, spec, rows: byName, ...(stratified ? { classes } : {}) };
}
