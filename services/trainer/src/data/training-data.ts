import { readFile, writeFile } from "node:fs/promises";
import {
  type ColumnProfile,
  type Dataset,
  openDataset,
  type Part,
  partBatches,
  planFolds,
  type SelectedBatch,
} from "@aimass/datasets";
import type { ClassLabels, Task } from "@aimass/learn";
import type { JobWork } from "../worker/job-work.ts";
import type { ReadAs } from "./dataset-file.ts";
import { type InspectedDataset, inspectDataset } from "./inspect-dataset.ts";
import type { Leakage } from "./leakage-check.ts";
import { RowMasks } from "./row-masks.ts";
import type { Folds, RowSelection } from "./row-selection.ts";
import { assignmentOf, labelsOf, type TrainingFacts } from "./training-facts.ts";

export type { TrainingFacts };

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

  private constructor({ path, facts, parts, leakage, warnings }: InspectedDataset, dataset: Dataset) {
    this.path = path;
    this.facts = facts;
    this.leakage = leakage;
    this.warnings = warnings;
    this.labels = labelsOf(facts);
    this.#dataset = dataset;
    this.#masks = new RowMasks(parts, facts.split.seed);
  }

  /**
   * Fetches the dataset, reads it in its format, applies the data policy, divides the rows and looks for what is in two parts, which it reports.
   * Errors: those of registry, file and policy; FAILED_PRECONDITION for a target that cannot be learnt and for parts without rows.
   */
  static async open(work: JobWork): Promise<TrainingData> {
    const inspected = await inspectDataset(work);
    const { path: file, facts } = inspected;
    return new TrainingData(inspected, await openDataset({ ...facts.read, file, signal: work.signal }));
  }

  /** The same data in another process or thread, without looking at them again. */
  static async reopen(path: string, facts: TrainingFacts): Promise<TrainingData> {
    const parts = await readFile(facts.partsPath);
    const dataset = await openDataset({ ...facts.read, file: path });
    return new TrainingData({ path, facts, parts, leakage: {}, warnings: [] }, dataset);
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

  /** Names of the columns to learn from, in order: those of the spec without copies of the target. */
  get features(): readonly string[] {
    return this.facts.profiles.map(({ name }) => name);
  }

  /** Rows of each part. */
  get rows(): Readonly<Record<Part, number>> {
    return this.facts.rows;
  }

  get format(): ReadAs["format"] {
    return this.facts.read.format;
  }

  /** The part of every row of the file, as a code of `partNames`, or 255. */
  get parts(): Uint8Array {
    return this.#masks.parts;
  }

  /** The table as it lies in the file. */
  get dataset(): Dataset {
    return this.#dataset;
  }

  /** How many rows `batches` gives. */
  rowCount(selection: RowSelection, share = 1): Promise<number> {
    return this.#masks.count(selection, share);
  }

  /** The rows of a selection in the file's order, in batches that are never empty. Images are references yet: see `decodeImages`. */
  async *batches(selection: RowSelection, options: ReadOptions = {}): AsyncGenerator<SelectedBatch> {
    const mask = await this.#masks.of(selection, options.share ?? 1);
    const columns = options.columns ?? [...this.features, this.target];
    const isImages = this.format === "image-zip" && columns.includes("image");
    yield* partBatches(this.#dataset, assignmentOf(mask, ["out", "in"]), ["in"], {
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
