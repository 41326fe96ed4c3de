import { AimassError } from "@aimass/core";
import type { Dataset } from "../dataset.ts";
import { assignRows } from "./assign.ts";
import { type RowAssignment, unassigned } from "./assignment.ts";
import { readRowKeys } from "./row-keys.ts";
import { slice } from "./split.ts";
import { checkCriteria, checkSeed, type SplitSpec } from "./split-spec.ts";

/** How a table is cut into folds for cross-validation. */
export interface FoldSpec extends Pick<SplitSpec, "seed" | "stratifyBy" | "groupBy" | "timeBy"> {
  /** 2 to 100. By time, fold 0 is the oldest: train on the folds before the one held out. */
  readonly folds: number;
  /** Only these parts of a split are cut; other rows are in no fold. */
  readonly within?: { readonly split: RowAssignment; readonly parts: readonly string[] };
}

const batchRows = 8192;

/** Cuts the rows into folds of equal size, under the same promises as `planSplit`. The parts are named "0", "1" and so on. */
export async function planFolds(dataset: Dataset, spec: FoldSpec, signal?: AbortSignal): Promise<RowAssignment> {
  const { folds, seed, within } = spec;
  checkSeed(seed);
  checkCriteria(spec);
  if (!(Number.isInteger(folds) && folds >= 2 && folds <= 100)) {
    throw new AimassError("INVALID_ARGUMENT", `There cannot be ${folds} folds.`, {
      field: "folds",
      remedy: "Use 2 to 100.",
    });
  }
  const keys = await readRowKeys(dataset, spec, signal);
  const kept = within === undefined ? undefined : await keptRows(dataset, within, keys.rows, signal);
  const rows = kept === undefined ? keys.rows : kept.reduce((sum, one) => sum + one, 0);
  if (rows < folds) {
    throw new AimassError("INVALID_ARGUMENT", `There are ${rows} rows for ${folds} folds.`, {
      field: "folds",
      remedy: "Use fewer folds.",
    });
  }
  const shares = new Array<number>(folds).fill(1 / folds);
  const parts = assignRows({
    keys,
    shares,
    seed,
    ...(kept === undefined ? {} : { includes: (row) => kept[row] === 1 }),
  });
  return { parts: shares.map((_, fold) => String(fold)), columns: [], partsOf: (batch) => slice(parts, batch) };
}

/** 1 for each row of the parts. */
async function keptRows(
  dataset: Dataset,
  { split, parts }: NonNullable<FoldSpec["within"]>,
  rows: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const codes = new Set(parts.map((part) => split.parts.indexOf(part)));
  const kept = new Uint8Array(rows);
  const columns = split.columns.length > 0 ? split.columns : [dataset.schema.columns[0]?.name as string];
  for await (const batch of dataset.batches({ columns, batchRows, signal })) {
    const assigned = split.partsOf(batch);
    for (let row = 0; row < batch.rows; row++) {
      const part = assigned[row] as number;
      if (part !== unassigned && codes.has(part)) kept[batch.firstRow + row] = 1;
    }
  }
  return kept;
}
