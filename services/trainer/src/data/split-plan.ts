import type { JobSpec } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { type Dataset, planSplit, type SplitDescription, type SplitSpec, unassigned } from "@aimass/datasets";
import type { Task } from "@aimass/learn";
import { type KeptBy, withoutRows } from "./data-policy.ts";

type SplitWish = Pick<JobSpec, "split" | "testShare" | "seed" | "target">;

/** How rows are divided, in the terms of @aimass/datasets. */
export function splitSpec({ split, testShare, seed, target }: SplitWish, task: Task): SplitSpec {
  const validation = split?.validationShare ?? 0;
  const by = {
    ...(split?.stratifyBy && { stratifyBy: split.stratifyBy }),
    ...(split?.groupBy && { groupBy: split.groupBy }),
    ...(split?.timeBy && { timeBy: split.timeBy }),
  };
  const stratifies = task === "classification" && split?.plain !== true && !split?.timeBy;
  return {
    seed: seedOf(seed),
    shares: { train: 1 - testShare - validation, validation, test: testShare },
    ...(stratifies && { stratifyBy: target }),
    ...by,
  };
}

/** Seeds of @aimass/datasets and @aimass/learn have 53 bits. */
export function seedOf(seed: bigint): number {
  return Number(BigInt.asUintN(53, seed));
}

/** A planned split: the part code of every row of the file, 255 for rows that were left out. */
export interface PlannedSplit {
  readonly parts: Uint8Array;
  readonly description: SplitDescription & { readonly kept?: KeptBy };
}

/** Errors: FAILED_PRECONDITION when a part would be empty, and for columns that cannot decide. */
export async function planParts(
  dataset: Dataset,
  spec: SplitSpec,
  { rows, kept, signal }: { rows: number; kept: Uint8Array | undefined; signal: AbortSignal },
): Promise<PlannedSplit> {
  const view = kept === undefined ? dataset : withoutRows(dataset, kept);
  const count = kept === undefined ? rows : kept.reduce((sum, one) => sum + one, 0);
  assertRows(count, spec);
  const split = await planSplit(view, spec, signal);
  const counts = split.description.rows ?? {};
  if (!counts.train || !counts.test || (!counts.validation && (spec.shares.validation ?? 0) > 0)) {
    throw tooFew(
      `The split leaves ${counts.train ?? 0} rows for training, ${counts.validation ?? 0} for validation and ${counts.test ?? 0} held out.`,
    );
  }
  const assigned = split.partsOf({ rows: count, firstRow: 0, columns: new Map() });
  return { parts: kept === undefined ? assigned : spread(assigned, kept), description: split.description };
}

function spread(assigned: Uint8Array, kept: Uint8Array): Uint8Array {
  let next = 0;
  return kept.map((one) => (one === 1 ? (assigned[next++] as number) : unassigned));
}

function assertRows(count: number, { shares }: SplitSpec): void {
  const parts = (shares.validation ?? 0) > 0 ? 3 : 2;
  if (count >= parts) return;
  throw tooFew(`There ${count === 1 ? "is 1 row" : `are ${count} rows`} to train with; the split has ${parts} parts.`);
}

function tooFew(message: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", message, {
    reason: "TOO_FEW_ROWS",
    field: "spec.test_share",
    remedy: "Use a larger dataset, rows of more than one kind each, or other shares.",
  });
}
