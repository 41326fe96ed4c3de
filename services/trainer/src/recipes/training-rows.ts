import type { ColumnData } from "@aimass/datasets";
import {
  type ClassLabels,
  decodeImages,
  type Estimator,
  type Features,
  type FitOptions,
  type Fitted,
  type Matrix,
  type RowBatch,
  type Targets,
} from "@aimass/learn";
import { classIndices } from "../data/class-names.ts";
import type { RowSelection } from "../data/row-selection.ts";
import type { TrainingData } from "../data/training-data.ts";
import type { Reporter } from "./recipe.ts";
import { SpooledRows } from "./spooled-rows.ts";
import { TrainingMatrix, tooLarge } from "./training-matrix.ts";

/** Rows as an estimator takes them. */
export interface TrainingRows extends AsyncDisposable {
  readonly kind: string;
  /** What they take in memory for as long as they are kept. */
  readonly bytes: number;
  fit(estimator: Estimator, options: FitOptions): Promise<Fitted>;
}

export interface ReadRowsOptions {
  readonly rows: RowSelection;
  readonly share?: number;
  readonly estimator: Estimator;
  readonly memoryBytes: number;
  readonly directory: string;
  readonly report: Reporter;
  readonly signal: AbortSignal;
  /** Where its progress begins and ends. */
  readonly progress: readonly [from: number, to: number];
}

/**
 * Transforms rows: into memory where they fit, else into a file that the estimator reads for every pass. Errors: RESOURCE_EXHAUSTED when they fit in neither
 * way; those of the data.
 */
export async function readRows(
  data: TrainingData,
  features: Features,
  options: ReadRowsOptions,
): Promise<TrainingRows> {
  const { rows, share = 1, estimator, memoryBytes, report, signal } = options;
  const count = await data.rowCount(rows, share);
  const { cols, layout } = features;
  const matrix = new TrainingMatrix({ rows: count, cols, layout, writesOut: !estimator.sparse, memoryBytes });
  if (matrix.fits) {
    const targets = new TargetList(count, data.labels);
    for await (const { x, y } of transformed(data, features, options)) {
      targets.add(y);
      if (!matrix.add(x)) break;
    }
    if (matrix.fits) return inMemory(matrix.finish(), targets.finish());
    matrix.clear();
  }
  if (estimator.fitStream === undefined) throw tooLarge(count, features.cols, memoryBytes);
  report.log("The rows do not fit into memory; they are read from disk for every pass.");
  signal.throwIfAborted();
  return SpooledRows.write(transformed(data, features, options), {
    directory: options.directory,
    rows: count,
    cols: features.cols,
    layout: features.layout,
    labels: data.labels,
  });
}

/** Features and targets of rows, batch by batch. */
async function* transformed(
  data: TrainingData,
  features: Features,
  { rows, share = 1, report, signal, progress: [from, to] }: ReadRowsOptions,
): AsyncGenerator<RowBatch> {
  const total = await data.rowCount(rows, share);
  let done = 0;
  for await (const batch of data.batches(rows, { share, signal })) {
    const x = features.transform(await decodeImages(batch, signal));
    yield { x, y: targetsOf(batch.columns.get(data.target) as ColumnData, data.labels) };
    done += batch.rows;
    report.progress(from + (done / total) * (to - from), "making features");
  }
}

export function targetsOf(column: ColumnData, labels: ClassLabels | undefined): Targets {
  if (labels === undefined) return { kind: "numbers", values: column.values as Float64Array };
  return { kind: "classes", indices: classIndices(column, labels), labels };
}

function inMemory(x: Matrix, y: Targets): TrainingRows {
  const arrays = x.kind === "dense" ? [x.data] : [x.offsets, x.columns, x.values];
  const all = [...arrays, y.kind === "numbers" ? y.values : y.indices];
  return {
    kind: x.kind,
    bytes: all.reduce((sum, { byteLength }) => sum + byteLength, 0),
    fit: (estimator, options) => estimator.fit(x, y, options),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Targets of all rows, put after one another. */
class TargetList {
  readonly #labels: ClassLabels | undefined;
  readonly #numbers: Float64Array;
  readonly #indices: Int32Array;
  #filled = 0;

  constructor(rows: number, labels: ClassLabels | undefined) {
    this.#labels = labels;
    this.#numbers = new Float64Array(labels === undefined ? rows : 0);
    this.#indices = new Int32Array(labels === undefined ? 0 : rows);
  }

  add(y: Targets): void {
    if (y.kind === "numbers") this.#numbers.set(y.values, this.#filled);
    else this.#indices.set(y.indices, this.#filled);
    this.#filled += y.kind === "numbers" ? y.values.length : y.indices.length;
  }

  finish(): Targets {
    if (this.#labels === undefined) return { kind: "numbers", values: this.#numbers };
    return { kind: "classes", indices: this.#indices, labels: this.#labels };
  }
}
