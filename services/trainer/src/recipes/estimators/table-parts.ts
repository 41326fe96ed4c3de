import { AimassError } from "@aimass/core";
import {
  type ColumnProfile,
  type DataFile,
  type Dataset,
  defaultMissing,
  openDataset,
  partBatches,
  planSplit,
  profileDataset,
  type SelectedBatch,
  type Split,
} from "@aimass/datasets";

/** Cells without a value, as the registry takes them too. */
const missing = [...defaultMissing, "None", "none", "n/a", "na"];
const batchRows = 1024;

export interface TablePartsOptions {
  /** A CSV. */
  readonly file: DataFile;
  /** Columns to read beside the target. */
  readonly features: readonly string[];
  readonly target: string;
  readonly testShare: number;
  readonly seed: bigint;
  /** Whether every part gets its share of each value of the target. */
  readonly stratified: boolean;
  readonly signal: AbortSignal;
}

/** A dataset with its columns' profiles and its split: rows to train with and rows held out, to be read as often as needed. */
export class TableParts {
  readonly profiles: readonly ColumnProfile[];
  readonly target: ColumnProfile;
  readonly split: Split;
  readonly trainRows: number;
  readonly testRows: number;
  readonly #dataset: Dataset;
  readonly #options: TablePartsOptions;

  private constructor(dataset: Dataset, columns: readonly ColumnProfile[], split: Split, options: TablePartsOptions) {
    const find = (name: string) => {
      const column = columns.find((c) => c.name === name);
      if (column !== undefined) return column;
      throw unfit(`The dataset has no column "${name}".`, "spec.features");
    };
    this.profiles = options.features.map(find);
    this.target = find(options.target);
    this.split = split;
    this.trainRows = split.description.rows?.train ?? 0;
    this.testRows = split.description.rows?.test ?? 0;
    this.#dataset = dataset;
    this.#options = options;
  }

  /** Reads the file twice. Errors: those of the data; FAILED_PRECONDITION for rows without a target and for parts without rows. */
  static async open(options: TablePartsOptions): Promise<TableParts> {
    const { file, target, testShare, signal, stratified } = options;
    const { schema, columns } = await profileDataset({ format: "csv", file, missing, signal, previewRows: 1 });
    const empty = columns.find((c) => c.name === target)?.missing ?? 0;
    if (empty > 0) {
      const remedy = "Fill the cells, or leave the rows out of the dataset.";
      throw unfit(`The target "${target}" has no value in ${empty} rows.`, "spec.target", remedy);
    }
    const dataset = await openDataset({ format: "csv", file, schema, signal });
    const seed = Number(BigInt.asUintN(53, options.seed));
    const shares = { train: 1 - testShare, test: testShare };
    const split = await planSplit(dataset, { seed, shares, ...(stratified && { stratifyBy: target }) }, signal);
    const parts = new TableParts(dataset, columns, split, options);
    if (parts.trainRows > 0 && parts.testRows > 0) return parts;
    const message = `The split leaves ${parts.trainRows} rows for training and ${parts.testRows} held out.`;
    throw unfit(
      message,
      "spec.test_share",
      "Use a larger dataset, rows of more than one kind each, or another test_share.",
    );
  }

  /** Rows of one part, in the file's order. */
  batches(part: "train" | "test"): AsyncIterable<SelectedBatch> {
    const { features, target, signal } = this.#options;
    return partBatches(this.#dataset, this.split, [part], { columns: [...features, target], batchRows, signal });
  }
}

function unfit(message: string, field: string, remedy?: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", message, { field, ...(remedy !== undefined && { remedy }) });
}
