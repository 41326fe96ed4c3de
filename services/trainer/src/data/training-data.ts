import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { JobSpec } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import {
  type ColumnData,
  type ColumnProfile,
  type Dataset,
  openDataset,
  type Part,
  partBatches,
  partNames,
  planFolds,
  profileDataset,
  type RowAssignment,
  type SelectedBatch,
  type SplitDescription,
  type SplitSpec,
} from "@aimass/datasets";
import type { ClassLabels, Task } from "@aimass/learn";
import type { JobWork } from "../worker/job-work.ts";
import { ClassNames, mostClasses, tooManyClasses } from "./class-names.ts";
import { type DataPolicy, keepRows } from "./data-policy.ts";
import { fetchDataset, type ReadAs, readAs } from "./dataset-file.ts";
import { findLeakage, type Leakage, leakageWarnings } from "./leakage-check.ts";
import { RowMasks } from "./row-masks.ts";
import type { Folds, RowSelection } from "./row-selection.ts";
import { planParts, splitSpec } from "./split-plan.ts";

/** What a dataset taught when it was opened; with its file enough to open it again. Plain JSON. */
export interface TrainingFacts {
  readonly read: ReadAs;
  readonly task: Task;
  readonly target: ColumnProfile;
  /** Of the features, in their order. */
  readonly profiles: readonly ColumnProfile[];
  /** Of a classification: how classes are served, and their names in order. */
  readonly classes: { readonly datatype: ClassLabels["datatype"]; readonly names: readonly string[] } | undefined;
  readonly split: SplitSpec;
  readonly description: SplitDescription;
  /** One byte a row of the file: its part, or 255. */
  readonly partsPath: string;
  readonly rows: Readonly<Record<Part, number>>;
}

export interface ReadOptions {
  /** Share of the rows, the first of an order that the seed decides: a smaller share is part of a larger one. 1 unless given. */
  readonly share?: number;
  /** Columns; features and target unless given. */
  readonly columns?: readonly string[];
  readonly signal?: AbortSignal;
}

/** Rows of a batch: images are decoded, so few are many. */
const batchRows = { table: 1024, images: 32 } as const;

/** A dataset in a job's folder with its profiles, its split and its classes; its rows can be read as often as needed, in memory that does not grow with them. */
export class TrainingData implements AsyncDisposable {
  readonly facts: TrainingFacts;
  /** Path of the file. */
  readonly path: string;
  /** Undefined for a regression. */
  readonly labels: ClassLabels | undefined;
  /** Known where the split was made; empty when reopened. */
  readonly leakage: Leakage;
  readonly warnings: readonly string[];
  readonly #dataset: Dataset;
  readonly #masks: RowMasks;

  private constructor(o: {
    path: string;
    facts: TrainingFacts;
    dataset: Dataset;
    parts: Uint8Array;
    leakage: Leakage;
    warnings: readonly string[];
  }) {
    this.path = o.path;
    this.facts = o.facts;
    this.leakage = o.leakage;
    this.warnings = o.warnings;
    this.labels = labelsOf(o.facts.classes);
    this.#dataset = o.dataset;
    this.#masks = new RowMasks(o.parts, o.facts.split.seed);
  }

  /**
   * Fetches the dataset, reads it in its format, applies the data policy, divides the rows and looks for what is in two parts, which it reports.
   * Errors: those of registry, file and policy; FAILED_PRECONDITION for a target that cannot be learnt and for parts without rows.
   */
  static async open(work: JobWork): Promise<TrainingData> {
    const { spec, report, signal } = work;
    report.progress(0, "fetching the dataset");
    const path = await fetchDataset(work);
    report.progress(0.3, "reading the dataset");
    const read = readAs(work.dataset);
    const { columns, rows } = await profileDataset({ ...read, file: path, previewRows: 1, signal });
    const target = profileOf(columns, spec.target, "spec.target");
    const profiles = spec.features.map((name, i) => profileOf(columns, name, `spec.features[${i}]`));
    const task: Task = spec.task === "classification" ? "classification" : "regression";
    checkTarget(target, task);
    const dataset = await openDataset({ ...read, file: path, signal });
    try {
      report.progress(0.5, "dividing the rows");
      const kept = await keepRows(policyOf(spec), { dataset, features: profiles, target, rows, signal });
      for (const note of kept?.notes ?? []) report.log(note);
      const split = splitSpec(spec, task);
      const planned = await planParts(dataset, split, { rows, kept: kept?.rows, signal });
      const assignment = assignmentOf(planned.parts);
      const names =
        task === "classification" ? await classesOf(dataset, assignment, { target: spec.target, signal }) : undefined;
      report.progress(0.8, "looking for rows that are in two parts");
      const leakage = await findLeakage(dataset, assignment, {
        features: spec.features,
        target: spec.target,
        groupBy: split.groupBy,
        refuses: spec.data?.duplicates === "refuse",
        signal,
      });
      const partsPath = join(work.directory, "parts");
      await writeFile(partsPath, planned.parts);
      const facts: TrainingFacts = {
        read,
        task,
        target,
        profiles,
        classes: names && { datatype: names.datatype, names: names.values.map(String) },
        split,
        description: planned.description,
        partsPath,
        rows: partCounts(planned.description),
      };
      const warnings = [...(kept?.notes ?? []), ...leakageWarnings(leakage), ...targetWarnings(target)];
      for (const warning of warnings) report.warn(warning);
      report.log(divided(facts));
      return new TrainingData({ path, facts, dataset, parts: planned.parts, leakage, warnings });
    } catch (error) {
      await dataset[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The same data in another process or thread, without looking at them again. */
  static async reopen(path: string, facts: TrainingFacts): Promise<TrainingData> {
    const parts = await readFile(facts.partsPath);
    const dataset = await openDataset({ ...facts.read, file: path });
    return new TrainingData({ path, facts, dataset, parts, leakage: {}, warnings: [] });
  }

  get task(): Task {
    return this.facts.task;
  }

  get target(): string {
    return this.facts.target.name;
  }

  get profiles(): readonly ColumnProfile[] {
    return this.facts.profiles;
  }

  /** Rows of each part. */
  get rows(): Readonly<Record<Part, number>> {
    return this.facts.rows;
  }

  get format(): ReadAs["format"] {
    return this.facts.read.format;
  }

  /** How many rows `batches` gives. */
  rowCount(selection: RowSelection, share = 1): Promise<number> {
    return this.#masks.count(selection, share);
  }

  /** The rows of a selection in the file's order, in batches that are never empty. Images are references yet: see `decodeImages`. */
  async *batches(selection: RowSelection, options: ReadOptions = {}): AsyncGenerator<SelectedBatch> {
    const mask = await this.#masks.of(selection, options.share ?? 1);
    const columns = options.columns ?? [...this.facts.profiles.map(({ name }) => name), this.target];
    const isImages = this.format === "image-zip" && columns.includes("image");
    yield* partBatches(this.#dataset, maskAssignment(mask), ["in"], {
      columns,
      batchRows: isImages ? batchRows.images : batchRows.table,
      signal: options.signal,
    });
  }

  /** Cuts the training part into `count` folds, as the split is: grouped, in equal shares of each class, by time. Errors: INVALID_ARGUMENT for too few rows. */
  async folds(count: number, signal?: AbortSignal): Promise<Folds> {
    const { seed, stratifyBy, groupBy, timeBy } = this.facts.split;
    const byTime = timeBy !== undefined;
    const split = assignmentOf(this.#masks.parts);
    const within = { split, parts: ["train"] };
    const by = { ...(stratifyBy && { stratifyBy }), ...(groupBy && { groupBy }), ...(timeBy && { timeBy }) };
    const folds = count + (byTime ? 1 : 0);
    const slices = await planFolds(this.#dataset, { folds, seed, ...by, within }, signal);
    const path = `${this.facts.partsPath}-folds-${count}`;
    await writeFile(path, slices.partsOf({ rows: this.#masks.rows, firstRow: 0, columns: new Map() }));
    return { count, path, byTime };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dataset[Symbol.asyncDispose]();
  }
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

function checkTarget({ name, type, statistics, distinct }: ColumnProfile, task: Task): void {
  // Above 1024 it is an estimate; the exact look comes later.
  if (task === "classification" && (distinct?.count ?? 0) > mostClasses * 1.1) throw tooManyClasses(name);
  if (task === "regression" && type !== "number") {
    const remedy = 'Train a classification (task "classification"), or name a column of numbers.';
    throw unfit(`The target "${name}" holds ${type} values, not numbers.`, "spec.target", remedy);
  }
  const isBounded = statistics.kind !== "number" || Number.isFinite(statistics.maximum - statistics.minimum);
  if (isBounded) return;
  throw unfit(`The target "${name}" holds infinite numbers.`, "spec.target", "Correct the cells, or leave them empty.");
}

function targetWarnings({ name, distinct }: ColumnProfile): string[] {
  return distinct?.count === 1 ? [`The target "${name}" is the same in every row; there is nothing to learn.`] : [];
}

async function classesOf(
  dataset: Dataset,
  assignment: RowAssignment,
  { target, signal }: { target: string; signal: AbortSignal },
): Promise<ClassLabels> {
  const names = new ClassNames(target);
  for await (const batch of partBatches(dataset, assignment, ["train"], {
    columns: [target],
    batchRows: 8192,
    signal,
  })) {
    names.add(batch.columns.get(target) as ColumnData);
  }
  return names.finish();
}

function labelsOf(classes: TrainingFacts["classes"]): ClassLabels | undefined {
  if (classes === undefined) return undefined;
  if (classes.datatype === "BYTES") return { datatype: "BYTES", values: classes.names };
  return { datatype: "INT64", values: classes.names.map(BigInt) };
}

function assignmentOf(parts: Uint8Array): RowAssignment {
  return {
    parts: partNames,
    columns: [],
    partsOf: ({ firstRow, rows }) => parts.subarray(firstRow, firstRow + rows),
  };
}

function maskAssignment(mask: Uint8Array): RowAssignment {
  return { ...assignmentOf(mask), parts: ["out", "in"] };
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
