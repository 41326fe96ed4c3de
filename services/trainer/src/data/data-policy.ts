import { createHash } from "node:crypto";
import { AimassError } from "@aimass/core";
import { type Batch, type ColumnData, type ColumnProfile, type Dataset, takeRows, valueAt } from "@aimass/datasets";

/** JobSpec.data with its defaults. */
export interface DataPolicy {
  readonly missing: "impute" | "drop" | "refuse";
  readonly missingTarget: "refuse" | "drop";
  readonly duplicates: "keep" | "drop" | "refuse";
}

/** What decided on the rows that stay, where not all did: with the file enough to decide again. Plain JSON. */
export interface KeptBy {
  readonly policy: DataPolicy;
  readonly features: readonly string[];
  readonly target: string;
}

export interface PolicyInput {
  readonly dataset: Dataset;
  readonly features: readonly ColumnProfile[];
  readonly target: ColumnProfile;
  readonly rows: number;
  readonly signal: AbortSignal;
}

/** Which rows stay, 1 for each that does, and what was left out, in words. */
export interface KeptRows {
  readonly rows: Uint8Array;
  readonly notes: readonly string[];
}

const batchRows = 4096;

/** Applies a policy; undefined when every row stays. Errors: FAILED_PRECONDITION where it refuses, with the first such row. */
export async function keepRows(policy: DataPolicy, input: PolicyInput): Promise<KeptRows | undefined> {
  const { features, target } = input;
  const gaps = features.filter(({ missing }) => missing > 0);
  if (policy.missing === "refuse" && gaps.length > 0) throw refuseGaps(gaps);
  if (target.missing > 0 && policy.missingTarget === "refuse") throw refuseTarget(target);
  const dropsGaps = policy.missing === "drop" && gaps.length > 0;
  const dropsDuplicates = policy.duplicates === "drop";
  if (!dropsGaps && !dropsDuplicates && target.missing === 0) return undefined;
  const names = { target: target.name, gaps: dropsGaps ? gaps.map(({ name }) => name) : [] };
  return sift(input, names, dropsDuplicates);
}

async function sift(
  { dataset, features, rows, signal }: PolicyInput,
  { target, gaps }: { target: string; gaps: readonly string[] },
  dropsDuplicates: boolean,
): Promise<KeptRows> {
  const kept = new Uint8Array(rows);
  const counts = { target: 0, gaps: 0, duplicates: 0 };
  const seen = new Set<string>();
  const compared = [...features.map(({ name }) => name), target];
  for await (const batch of dataset.batches({ columns: compared, batchRows, signal })) {
    const has = (name: string, row: number) => valueAt(batch.columns.get(name) as ColumnData, row) !== undefined;
    for (let row = 0; row < batch.rows; row++) {
      if (!has(target, row)) counts.target++;
      else if (gaps.some((name) => !has(name, row))) counts.gaps++;
      else if (dropsDuplicates && !isNew(seen, await contentOf(batch, compared, row))) counts.duplicates++;
      else kept[batch.firstRow + row] = 1;
    }
  }
  const notes = [
    [counts.target, `without a value of "${target}"`],
    [counts.gaps, "without a value of a feature"],
    [counts.duplicates, "that are alike with an earlier one"],
  ] as const;
  return { rows: kept, notes: notes.filter(([n]) => n > 0).map(([n, what]) => `${n} rows ${what} were left out.`) };
}

function isNew(seen: Set<string>, content: string): boolean {
  const before = seen.size;
  return seen.add(content).size > before;
}

/** 96 bits of a hash of a row's values, of images by their bytes. */
async function contentOf(batch: Batch, columns: readonly string[], row: number): Promise<string> {
  const hash = createHash("sha256");
  for (const name of columns) {
    const value = valueAt(batch.columns.get(name) as ColumnData, row);
    if (typeof value === "object") hash.update(await value.read());
    else hash.update(`${typeof value}:${String(value).length}:${String(value)};`);
  }
  return hash.digest("base64url").slice(0, 16);
}

/** The table without the rows that do not stay, as if the file did not have them. */
export function withoutRows(dataset: Dataset, kept: Uint8Array): Dataset {
  return {
    ...dataset,
    async *batches(options) {
      let firstRow = 0;
      for await (const batch of dataset.batches(options)) {
        const rows = Uint32Array.from(
          Array.from({ length: batch.rows }, (_, row) => row).filter((row) => kept[batch.firstRow + row] === 1),
        );
        if (rows.length === 0) continue;
        const columns = new Map([...batch.columns].map(([name, column]) => [name, takeRows(column, rows)]));
        yield { rows: rows.length, firstRow, columns };
        firstRow += rows.length;
      }
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

function refuseGaps(gaps: readonly ColumnProfile[]): AimassError {
  const named = gaps.slice(0, 5).map(({ name, missing }) => `"${name}" in ${missing}`);
  const more = gaps.length > 5 ? ` and ${gaps.length - 5} more columns` : "";
  return new AimassError("FAILED_PRECONDITION", `Rows lack values: ${named.join(", ")}${more}.`, {
    reason: "MISSING_VALUES",
    field: "spec.data.missing",
    remedy: "Fill the cells, or take --missing impute or drop (in a file: data.missing).",
  });
}

function refuseTarget({ name, missing }: ColumnProfile): AimassError {
  return new AimassError("FAILED_PRECONDITION", `The target "${name}" has no value in ${missing} rows.`, {
    reason: "MISSING_TARGET",
    field: "spec.target",
    remedy: "Fill the cells, or leave such rows out: --missing-target drop, in a file data.missing_target.",
  });
}
