import type { ColumnData } from "@aimass/datasets";
import { type Batch, type ClassLabels, decodeImages, type Features, type Fitted, type Prediction } from "@aimass/learn";
import { ClassEvaluation } from "../../table/class-evaluation.ts";
import { Evaluation } from "../../table/evaluation.ts";
import { classIndices } from "./class-names.ts";
import type { TableParts } from "./table-parts.ts";

/** Training rows that are predicted to tell over-fitting; the held-out part is predicted whole. */
const mostTrainingRows = 10_000;

/** What is measured. */
export interface Measured {
  readonly features: Features;
  readonly fitted: Fitted;
  /** Absent for a regression. */
  readonly labels: ClassLabels | undefined;
  readonly target: string;
}

export interface Measurement {
  /** Of the held-out part by name, and of (at most the first 10 000 rows of) the training part with the prefix "train_". */
  readonly metrics: Readonly<Record<string, number>>;
  /** The first held-out rows, and what was predicted for them. */
  readonly sample: Batch;
  readonly own: Prediction;
}

/** Predicts both parts and compares. */
export async function measure(parts: TableParts, measured: Measured): Promise<Measurement> {
  const heldOut = await predictPart(parts, "test", measured);
  const training = await predictPart(parts, "train", measured, mostTrainingRows);
  const metrics = { ...heldOut.evaluation.metrics(), ...training.evaluation.metrics("train_") };
  return { metrics, sample: heldOut.sample, own: heldOut.own };
}

async function predictPart(
  parts: TableParts,
  part: "train" | "test",
  { features, fitted, labels, target }: Measured,
  most = Number.POSITIVE_INFINITY,
) {
  const numbers = new Evaluation();
  const classes = new ClassEvaluation(labels?.values.length ?? 0);
  let first: { sample: Batch; own: Prediction } | undefined;
  let rows = 0;
  for await (const batch of parts.batches(part)) {
    const sample = await decodeImages(batch);
    const own = fitted.predict(features.transform(sample));
    first ??= { sample, own };
    const column = batch.columns.get(target) as ColumnData;
    if (own.kind === "classes") addClasses(classes, classIndices(column, own.labels), own);
    else for (const [row, value] of own.values.entries()) numbers.add(column.values[row] as number, value);
    rows += batch.rows;
    if (rows >= most) break;
  }
  return { evaluation: labels === undefined ? numbers : classes, ...(first as { sample: Batch; own: Prediction }) };
}

function addClasses(to: ClassEvaluation, actual: Int32Array, own: Extract<Prediction, { kind: "classes" }>): void {
  const width = own.labels.values.length;
  for (const [row, index] of own.indices.entries()) {
    to.add(actual[row] as number, index, own.probabilities.subarray(row * width, (row + 1) * width));
  }
}
