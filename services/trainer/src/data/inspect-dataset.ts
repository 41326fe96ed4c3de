import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { JobSpec } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import {
  type ColumnData,
  type ColumnProfile,
  type Dataset,
  isWarningOf,
  openDataset,
  type Part,
  partBatches,
  profileDataset,
  type RowAssignment,
  type SplitDescription,
} from "@aimass/datasets";
import type { ClassLabels, Task } from "@aimass/learn";
import type { JobWork } from "../worker/job-work.ts";
import { ClassNames } from "./class-names.ts";
import { type DataPolicy, type KeptBy, keepRows } from "./data-policy.ts";
import { type BoundedRead, fetchDataset, readAs } from "./dataset-file.ts";
import { findLeakage, type Leakage, leakageWarnings } from "./leakage-check.ts";
import { type PlannedSplit, planParts, splitSpec } from "./split-plan.ts";
import { copiesOfTarget } from "./target-copies.ts";
import { assertClasses, classRemarks, targetRemarks } from "./target-remarks.ts";
import { assignmentOf, type TrainingFacts } from "./training-facts.ts";

/** A dataset that was looked at whole. */
export interface InspectedDataset {
  /** Of the file. */
  readonly path: string;
  readonly facts: TrainingFacts;
  readonly parts: Uint8Array;
  readonly leakage: Leakage;
  readonly warnings: readonly string[];
}

type Profiled = Pick<TrainingFacts, "read" | "task" | "target" | "profiles"> & { readonly rowCount: number };

/**
 * Fetches a job's dataset, reads it in its format, applies the data policy, divides the rows and looks for what is in two parts, all of which it reports.
 * Errors: as TrainingData.open.
 */
export async function inspectDataset(work: JobWork): Promise<InspectedDataset> {
  const { spec, report, signal, directory } = work;
  report.progress(0, "fetching the dataset");
  const path = await fetchDataset(work);
  report.progress(0.3, "reading the dataset");
  const { rowCount, ...whole } = await profile(work, path);
  await using dataset = await openDataset({ ...whole.read, file: path, signal });
  const copies = spec.usualFeatures ? await copiesOfTarget(dataset, whole, signal) : [];
  const profiled = { ...whole, profiles: whole.profiles.filter(({ name }) => !copies.includes(name)) };
  for (const note of leftOutNotes(work)) report.log(note);
  report.progress(0.5, "dividing the rows");
  const { planned, notes } = await divide(work, dataset, { rowCount, ...profiled });
  const assignment = assignmentOf(planned.parts);
  const found =
    profiled.task === "classification" ? await classesOf(dataset, assignment, spec.target, signal) : undefined;
  const classes = found?.labels;
  report.progress(0.8, "looking for rows that are in two parts");
  const names = profiled.profiles.map(({ name }) => name);
  const leakage = await lookForLeakage(work, dataset, { features: names, assignment });
  const partsPath = join(directory, "parts");
  await writeFile(partsPath, planned.parts);
  const facts: TrainingFacts = {
    ...profiled,
    classes: classes && { datatype: classes.datatype, names: classes.values.map(String) },
    split: splitSpec(spec, profiled.task),
    description: planned.description,
    partsPath,
    rows: partCounts(planned.description),
  };
  const warnings = [
    ...readingWarnings(work),
    ...notes,
    ...copies.map((name) => `Column "${name}" is left out: it is the target once more.`),
    ...leakageWarnings(leakage),
    ...targetRemarks(profiled.target, profiled.task),
    ...classRemarks(spec.target, found?.rows ?? new Map()),
  ];
  for (const warning of warnings) report.warn(warning);
  report.log(divided(facts));
  return { path, facts, parts: planned.parts, leakage, warnings };
}

async function profile({ spec, dataset, datasetLimits: limits, signal }: JobWork, file: string): Promise<Profiled> {
  const read: BoundedRead = { ...readAs(dataset), limits };
  const { columns, rows } = await profileDataset({ ...read, file, previewRows: 1, signal });
  const target = profileOf(columns, spec.target, "spec.target");
  const profiles = spec.features.map((name, i) => profileOf(columns, name, `spec.features[${i}]`));
  const task: Task = spec.task === "classification" ? "classification" : "regression";
  checkTarget(target, task);
  return { read, task, target, profiles, rowCount: rows };
}

async function divide(
  { spec, signal, report }: JobWork,
  dataset: Dataset,
  { profiles: features, target, rowCount: rows, task }: Profiled,
): Promise<{ planned: PlannedSplit; notes: readonly string[] }> {
  const kept = await keepRows(policyOf(spec), { dataset, features, target, rows, signal });
  const notes = kept?.notes ?? [];
  for (const note of notes) report.log(note);
  const planned = await planParts(dataset, splitSpec(spec, task), { rows, kept: kept?.rows, signal });
  if (kept === undefined) return { planned, notes };
  // What the policy refuses was not there: whoever decides again need not look for it.
  const own = policyOf(spec);
  const policy: DataPolicy = { ...own, missing: own.missing === "drop" ? "drop" : "impute", missingTarget: "drop" };
  const by: KeptBy = { policy, features: features.map(({ name }) => name), target: target.name };
  return { planned: { ...planned, description: { ...planned.description, kept: by } }, notes };
}

function lookForLeakage(
  { spec, signal }: JobWork,
  dataset: Dataset,
  { features, assignment }: { readonly features: readonly string[]; readonly assignment: RowAssignment },
): Promise<Leakage> {
  return findLeakage(dataset, assignment, {
    features,
    target: spec.target,
    groupBy: spec.split?.groupBy || undefined,
    refuses: spec.data?.duplicates === "refuse",
    signal,
  });
}

function policyOf({ data }: JobSpec): DataPolicy {
  const word = <T extends string>(given: string | undefined, fallback: T) => (given || fallback) as T;
  return {
    missing: word<DataPolicy["missing"]>(data?.missing, "impute"),
    missingTarget: word<DataPolicy["missingTarget"]>(data?.missingTarget, "refuse"),
    duplicates: word<DataPolicy["duplicates"]>(data?.duplicates, "keep"),
  };
}

function profileOf(columns: readonly ColumnProfile[], name: string, field: string): ColumnProfile {
  const column = columns.find((c) => c.name === name);
  if (column !== undefined) return column;
  throw unfit(`The dataset has no column "${name}".`, field);
}

function checkTarget({ name, type, statistics, distinct, count }: ColumnProfile, task: Task): void {
  if (task === "classification") assertClasses({ name, distinct: distinct?.count ?? 0, count });
  if (task === "regression" && type !== "number") {
    const remedy = 'Train a classification (task "classification"), or name a column of numbers.';
    throw unfit(`The target "${name}" holds ${type} values, not numbers.`, "spec.target", remedy);
  }
  const isBounded = statistics.kind !== "number" || Number.isFinite(statistics.maximum - statistics.minimum);
  if (isBounded) return;
  throw unfit(`The target "${name}" holds infinite numbers.`, "spec.target", "Correct the cells, or leave them empty.");
}

/** Why columns are no features though nobody left them out. */
function leftOutNotes({ spec, dataset }: JobWork): string[] {
  if (!spec.usualFeatures || spec.script !== undefined || spec.featurePlan?.only === true) return [];
  const deciding = [spec.split?.groupBy, spec.split?.timeBy, spec.split?.stratifyBy];
  const out = dataset.columns.filter(({ name }) => name !== spec.target && !spec.features.includes(name));
  return out.flatMap(({ name, looks }) => {
    const why = deciding.includes(name)
      ? "the split is made by it"
      : looks === "id"
        ? "its values name rows"
        : undefined;
    return why === undefined
      ? []
      : [`Column "${name}" is left out: ${why}; name it among the features to learn from it.`];
  });
}

/** What the registry said of how the job's columns are read. */
function readingWarnings({ dataset, spec }: JobWork): string[] {
  const columns = [...spec.features, spec.target];
  const isReading = (warning: string) => / is (read as|kept as) | are rounded\. /.test(warning);
  return dataset.warnings.filter((said) => isReading(said) && columns.some((column) => isWarningOf(said, column)));
}

async function classesOf(
  dataset: Dataset,
  assignment: RowAssignment,
  target: string,
  signal: AbortSignal,
): Promise<{ labels: ClassLabels; rows: ReadonlyMap<string, number> }> {
  const names = new ClassNames(target);
  const options = { columns: [target], batchRows: 8192, signal };
  for await (const batch of partBatches(dataset, assignment, ["train"], options)) {
    names.add(batch.columns.get(target) as ColumnData);
  }
  return { labels: names.finish(), rows: names.rows };
}

function partCounts({ rows }: SplitDescription): Record<Part, number> {
  return { train: rows?.train ?? 0, validation: rows?.validation ?? 0, test: rows?.test ?? 0 };
}

function divided({ rows, split }: TrainingFacts): string {
  const validation = rows.validation > 0 ? `${rows.validation} for validation, ` : "";
  return `${rows.train} rows for training, ${validation}${rows.test} held out (seed ${split.seed}).`;
}

function unfit(message: string, field: string, remedy?: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", message, {
    reason: "BAD_TARGET",
    field,
    ...(remedy !== undefined && { remedy }),
  });
}
