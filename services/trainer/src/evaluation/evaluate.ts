import type { EvaluationReportSchema } from "@aimass/api/trainer";
import type { ColumnData } from "@aimass/datasets";
import { type Batch, decodeImages } from "@aimass/learn";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { classIndices } from "../data/class-names.ts";
import type { RowSelection } from "../data/row-selection.ts";
import type { TrainingData } from "../data/training-data.ts";
import type { FittedPipeline } from "../recipes/candidate.ts";
import type { Answer, Predictor } from "./answer.ts";
import { withoutColumn } from "./batches.ts";
import { ClassEvaluation } from "./class-evaluation.ts";
import { RegressionEvaluation } from "./regression-evaluation.ts";

export type ReportInit = Exclude<MessageInitShape<typeof EvaluationReportSchema>, { $typeName: string }>;

/** What was measured on some rows. */
export interface Measurement {
  /** As Job.metrics, without a prefix. */
  readonly metrics: Readonly<Record<string, number>>;
  /** As EvaluationReport.detail. */
  readonly detail: NonNullable<ReportInit["detail"]>;
  readonly rows: number;
}

export interface MeasureOptions {
  /** Rows to look at at most, from the first on. */
  readonly most?: number;
  /** Columns to read; features and target unless given. */
  readonly columns?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onRows?: (rows: number) => void;
  /** Sees every batch with what was answered. */
  readonly onBatch?: (batch: Batch, answer: Answer) => void;
}

/** Predicts rows with the trainer's own calculation and compares. */
export function measurePipeline(
  data: TrainingData,
  pipeline: FittedPipeline,
  rows: RowSelection,
  options: MeasureOptions = {},
): Promise<Measurement> {
  const { features, fitted } = pipeline;
  const predictor: Predictor = { predict: (batch) => fitted.predict(features.transform(batch)) };
  return measure(data, predictor, rows, options);
}

/** Lets a predictor answer for rows and compares with what is so. */
export async function measure(
  data: TrainingData,
  predictor: Predictor,
  rows: RowSelection,
  { most = Number.POSITIVE_INFINITY, columns, signal, onRows, onBatch }: MeasureOptions = {},
): Promise<Measurement> {
  const there = Math.min(most, await data.rowCount(rows));
  const evaluation = new TaskEvaluation(data, there);
  for await (const raw of data.batches(rows, { ...(columns && { columns }), ...(signal && { signal }) })) {
    const batch = await decodeImages(raw, signal);
    const answer = await predictor.predict(withoutColumn(batch, data.target));
    evaluation.add(batch.columns.get(data.target) as ColumnData, answer);
    onBatch?.(batch, answer);
    onRows?.(evaluation.rows);
    if (evaluation.rows >= most) break;
  }
  return evaluation.finish();
}

/** The comparison for the task of some data. */
export class TaskEvaluation {
  readonly #numbers: RegressionEvaluation | undefined;
  readonly #classes: ClassEvaluation | undefined;
  readonly #labels: TrainingData["labels"];

  /** `rows` there will be about. */
  constructor({ labels }: Pick<TrainingData, "labels">, rows: number) {
    this.#labels = labels;
    this.#numbers = labels === undefined ? new RegressionEvaluation() : undefined;
    this.#classes = labels === undefined ? undefined : new ClassEvaluation(labels.values.map(String), rows);
  }

  get rows(): number {
    return (this.#numbers ?? this.#classes)?.rows ?? 0;
  }

  /** `target`: the column of what is so. */
  add(target: Pick<ColumnData, "type" | "values">, answer: Answer): void {
    if (answer.kind === "numbers") {
      for (let row = 0; row < answer.values.length; row++) {
        this.#numbers?.add(target.values[row] as number, answer.values[row] as number);
      }
    } else if (this.#labels !== undefined) {
      const width = this.#labels.values.length;
      const actual = classIndices(target, this.#labels);
      for (const [row, index] of answer.indices.entries()) {
        const own = answer.probabilities?.subarray(row * width, (row + 1) * width);
        this.#classes?.add(actual[row] as number, index, own);
      }
    }
  }

  /** "r2" or "accuracy". */
  score(): number {
    return this.#numbers?.r2 ?? this.#classes?.accuracy() ?? 0;
  }

  finish(): Measurement {
    if (this.#numbers !== undefined) {
      const { rows } = this.#numbers;
      return { metrics: this.#numbers.metrics(), detail: { case: "regression", value: this.#numbers.detail() }, rows };
    }
    const classes = this.#classes as ClassEvaluation;
    return {
      metrics: classes.metrics(),
      detail: { case: "classification", value: classes.detail() },
      rows: classes.rows,
    };
  }
}

/** Metrics with a prefix before each name. */
export function prefixed(prefix: string, metrics: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`${prefix}${name}`, value]));
}
