import { AimassError } from "@aimass/core";
import type { Batch, ClassPrediction, Features, Prediction } from "@aimass/learn";
import { InferenceSession, Tensor } from "onnxruntime-node";

/** Largest difference between what the trainer predicts and what its graph answers; of numbers relative to the larger of 1 and the number. */
const tolerance = 1e-5;

/** Runs a graph over rows whose prediction is known. Throws FAILED_PRECONDITION (SKEW) when ONNX Runtime answers something else. */
export async function checkServed(onnx: Uint8Array, features: Features, rows: Batch, own: Prediction): Promise<void> {
  const session = await InferenceSession.create(onnx, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  try {
    const feeds = Object.fromEntries(features.columns.map(({ name }) => [name, tensorOf(rows, name)]));
    const answer = await session.run(feeds);
    if (own.kind === "numbers") compareNumbers(own.values, answer.y?.data as Float32Array);
    else compareClasses(own, answer.probabilities?.data as Float32Array, answer.label?.data as ArrayLike<unknown>);
  } finally {
    await session.release();
  }
}

function tensorOf({ columns, rows }: Batch, name: string): Tensor {
  const column = columns.get(name);
  if (column?.type === "string") {
    return new Tensor(
      "string",
      Array.from(column.values, (text) => text ?? ""),
      [rows],
    );
  }
  if (column?.type === "number") return new Tensor("float32", Float32Array.from(column.values), [rows]);
  if (column?.type === "boolean") {
    return new Tensor(
      "float32",
      Float32Array.from(column.values, (value) => (value > 1 ? Number.NaN : value)),
      [rows],
    );
  }
  throw new AimassError("INTERNAL", `The column "${name}" cannot be served.`);
}

function compareNumbers(own: Float64Array, served: Float32Array): void {
  for (const [row, value] of own.entries()) {
    const answer = served[row] ?? Number.NaN;
    if (!(Math.abs(answer - value) <= tolerance * Math.max(1, Math.abs(value)))) throw skew(row, value, answer);
  }
}

function compareClasses(own: ClassPrediction, served: Float32Array, labels: ArrayLike<unknown>): void {
  const { probabilities, indices } = own;
  const classes = own.labels.values.length;
  for (const [at, value] of probabilities.entries()) {
    const answer = served[at] ?? Number.NaN;
    if (!(Math.abs(answer - value) <= tolerance)) throw skew(Math.floor(at / classes), value, answer);
  }
  for (const [row, index] of indices.entries()) {
    const answered = (own.labels.values as readonly unknown[]).indexOf(labels[row]);
    const chance = (c: number) => probabilities[row * classes + c] ?? Number.NaN;
    // Where two classes are as likely as each other either is right.
    if (answered !== index && !(Math.abs(chance(answered) - chance(index)) <= tolerance)) {
      throw skew(row, own.labels.values[index], labels[row]);
    }
  }
}

function skew(row: number, own: unknown, served: unknown): AimassError {
  const message = `The model's graph answers ${String(served)} for held-out row ${row + 1} of the sample, the trainer ${String(own)}.`;
  return new AimassError("FAILED_PRECONDITION", message, {
    reason: "SKEW",
    remedy: "No version was made. Scale columns of very large numbers, or use another recipe.",
  });
}
