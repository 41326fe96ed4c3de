import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Lineage } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import {
  type Batch,
  type ColumnData,
  type ColumnProfile,
  type Dataset,
  openDataset,
  partNames,
  type SplitDescription,
  unassigned,
  valueAt,
} from "@aimass/datasets";
import type { JobWork } from "../worker/job-work.ts";
import { type KeptBy, keepRows } from "./data-policy.ts";
import { fetchDataset, readAs } from "./dataset-file.ts";
import { planParts } from "./split-plan.ts";
import type { TrainingData } from "./training-data.ts";

/** Which rows of the held-out part a version has not learnt from. */
export type FreshRows =
  | { readonly kind: "all" }
  | { readonly kind: "some"; readonly mask: Uint8Array; readonly rows: number }
  /** Nobody can tell; `why` ends a sentence. */
  | { readonly kind: "unknown"; readonly why: string };

/** A split as lineage keeps it. */
type RecordedSplit = SplitDescription & { readonly kept?: KeptBy };

const held = partNames.indexOf("test");

/**
 * Compares a version's lineage with the job's held-out part: in the same file row by row, in another one by the content of rows, since a newer version of a dataset
 * mostly repeats the older one. What was used to choose (the validation part) counts as learnt from.
 */
export async function freshRows(work: JobWork, data: TrainingData, lineage: Lineage | undefined): Promise<FreshRows> {
  const split = recordedSplit(lineage);
  if (lineage === undefined || split === undefined || lineage.datasetSha256.length === 0) {
    return { kind: "unknown", why: "nothing is kept of the rows that it learnt from" };
  }
  if (!Buffer.from(lineage.datasetSha256).equals(work.dataset.sha256))
    return await freshOfOther(work, data, lineage, split);
  if (lineage.split === JSON.stringify(data.facts.description)) return { kind: "all" };
  const parts = await partsAgain(data.dataset, split, data.parts.length, work.signal);
  return masked(data, (row) => parts !== undefined && isFresh(parts[row] as number));
}

async function freshOfOther(
  work: JobWork,
  data: TrainingData,
  { dataset: name, datasetVersion }: Lineage,
  split: RecordedSplit,
): Promise<FreshRows> {
  const unknown = (why: string): FreshRows => ({ kind: "unknown", why });
  try {
    const other = await work.library.dataset(work.spec.project, name, datasetVersion);
    const read = { ...readAs(other), limits: work.datasetLimits };
    const own = new Set(data.facts.read.schema.columns.map((column) => column.name));
    const columns = read.schema.columns.map((column) => column.name).filter((column) => own.has(column));
    if (!columns.includes(data.target)) return { kind: "all" };
    const file = await fetchDataset({ ...work, dataset: other }, join(work.directory, "other-dataset"));
    await using table = await openDataset({ ...read, file, signal: work.signal });
    const parts = await partsAgain(table, split, Number(other.rows), work.signal);
    if (parts === undefined) return unknown("its split cannot be made again");
    const learnt = new Set<string>();
    await eachRow(table, columns, work.signal, (row, content) => {
      if (!isFresh(parts[row] as number)) learnt.add(content());
    });
    const fresh = new Uint8Array(data.parts.length);
    await eachRow(data.dataset, columns, work.signal, (row, content) => {
      if (data.parts[row] === held) fresh[row] = Number(!learnt.has(content()));
    });
    return masked(data, (row) => fresh[row] === 1);
  } catch (error) {
    const isGone = error instanceof AimassError && ["NOT_FOUND", "PERMISSION_DENIED"].includes(error.code);
    if (!isGone) throw error;
    return unknown(`the dataset it learnt from, ${name} version ${datasetVersion}, cannot be read`);
  }
}

function recordedSplit(lineage: Lineage | undefined): RecordedSplit | undefined {
  try {
    const split = JSON.parse(lineage?.split ?? "") as Partial<RecordedSplit> | null;
    return split?.spec !== undefined && split.rows !== undefined ? (split as RecordedSplit) : undefined;
  } catch {
    return undefined;
  }
}

/** The part of every row; undefined when the split does not come out as it is described. */
async function partsAgain(
  dataset: Dataset,
  { spec, rows: described, kept: by }: RecordedSplit,
  rows: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const kept = by && (await keepRows(by.policy, { dataset, ...columnsOf(by), rows, signal }));
  try {
    const { parts, description } = await planParts(dataset, spec, { rows, kept: kept?.rows, signal });
    return JSON.stringify(description.rows) === JSON.stringify(described) ? parts : undefined;
  } catch (error) {
    if (error instanceof AimassError && !signal.aborted) return undefined;
    throw error;
  }
}

/** Of the columns it matters which may have gaps, and each may. */
function columnsOf({ features, target }: KeptBy): { features: ColumnProfile[]; target: ColumnProfile } {
  const gappy = (name: string): ColumnProfile => ({
    name,
    type: "string",
    count: 0,
    missing: 1,
    statistics: { kind: "empty" },
  });
  return { features: features.map(gappy), target: gappy(target) };
}

function isFresh(part: number): boolean {
  return part === held || part === unassigned;
}

function masked(data: TrainingData, isIn: (row: number) => boolean): FreshRows {
  const mask = data.parts.map((part, row) => Number(part === held && isIn(row)));
  const rows = mask.reduce((sum, one) => sum + one, 0);
  return rows === data.rows.test ? { kind: "all" } : { kind: "some", mask, rows };
}

/** Goes through a table; `content` hashes a row's values as they read, so that a column may have changed its type between versions. */
async function eachRow(
  dataset: Dataset,
  columns: readonly string[],
  signal: AbortSignal,
  see: (row: number, content: () => string) => void,
): Promise<void> {
  for await (const batch of dataset.batches({ columns, batchRows: 4096, signal })) {
    const pictures = await digests(batch, columns);
    for (let row = 0; row < batch.rows; row++) {
      see(batch.firstRow + row, () => contentOf(batch, columns, row, pictures));
    }
  }
}

async function digests(batch: Batch, columns: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>();
  for (const name of columns) {
    const column = batch.columns.get(name);
    if (column?.type !== "image") continue;
    const all: string[] = [];
    for (const image of column.values) {
      all.push(
        image === undefined
          ? ""
          : createHash("sha256")
              .update(await image.read())
              .digest("base64"),
      );
    }
    found.set(name, all);
  }
  return found;
}

function contentOf(
  batch: Batch,
  columns: readonly string[],
  row: number,
  pictures: ReadonlyMap<string, readonly string[]>,
): string {
  const hash = createHash("sha256");
  for (const name of columns) {
    const value = String(pictures.get(name)?.[row] ?? valueAt(batch.columns.get(name) as ColumnData, row) ?? "");
    hash.update(`${value.length}:${value};`);
  }
  return hash.digest("base64url").slice(0, 16);
}
