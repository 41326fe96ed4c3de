import { AimassError } from "@aimass/core";
import type { Estimator, FitOptions } from "../estimator.ts";
import type { DenseMatrix, Matrix } from "../matrix.ts";
import type { ClassTargets, NumericTargets, Targets } from "../targets.ts";

/** Cells a sparse matrix may have when it is made dense. */
const densestCells = 2 ** 28;

/** Checks rows and weights; throws INVALID_ARGUMENT naming the first bad cell. */
export function checkRows(estimator: Pick<Estimator, "name" | "missing">, x: Matrix, options: FitOptions): void {
  if (x.rows === 0) throw invalid("There are no rows to learn from.", "EMPTY_DATA", "Give at least one row.");
  if (x.cols === 0) throw invalid("The rows have no columns.", "EMPTY_DATA", "Give at least one feature.");
  checkCells(x, estimator);
  const { weights } = options;
  if (weights === undefined) return;
  if (weights.length !== x.rows) {
    throw invalid(`There are ${weights.length} weights for ${x.rows} rows.`, "BAD_WEIGHTS", "Give one weight a row.");
  }
  let sum = 0;
  for (let r = 0; r < weights.length; r++) {
    if (!(weights[r]! >= 0))
      throw invalid(`The weight of row ${r} is ${weights[r]}.`, "BAD_WEIGHTS", "Weights are ≥ 0.");
    sum += weights[r]!;
  }
  if (!(sum > 0 && sum < Number.POSITIVE_INFINITY)) {
    throw invalid(`The weights sum to ${sum}.`, "BAD_WEIGHTS", "Give at least one row a weight above 0.");
  }
}

/** The targets as finite numbers. */
export function numericTargets(y: Targets, rows: number): NumericTargets {
  if (y.kind !== "numbers")
    throw invalid("The target is a class, not a number.", "BAD_TARGET", "Use a classification.");
  if (y.values.length !== rows) throw lengthMismatch(y.values.length, rows);
  const bad = y.values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw invalid(`The target of row ${bad} is ${y.values[bad]}.`, "BAD_TARGET", "Targets are finite numbers.");
  return y;
}

/** The targets as classes, at least two of which have rows that count. */
export function classTargets(y: Targets, rows: number, weights: Float64Array | undefined): ClassTargets {
  if (y.kind !== "classes") throw invalid("The target is a number, not a class.", "BAD_TARGET", "Use a regression.");
  if (y.indices.length !== rows) throw lengthMismatch(y.indices.length, rows);
  const { values } = y.labels;
  const seen = new Uint8Array(values.length);
  for (let r = 0; r < rows; r++) {
    const index = y.indices[r]!;
    if (!(index >= 0 && index < values.length)) {
      throw invalid(`Row ${r} has the class ${index}, but there are ${values.length} labels.`, "BAD_TARGET");
    }
    if (weights === undefined || weights[r]! > 0) seen[index] = 1;
  }
  const first = seen.indexOf(1);
  if (seen.indexOf(1, first + 1) < 0) {
    throw new AimassError("FAILED_PRECONDITION", `Every row has the class "${values[first]}".`, {
      reason: "ONE_CLASS",
      remedy: "Give rows of at least two classes.",
    });
  }
  return y;
}

/** Row weights with those of classes multiplied in ("balanced": every class counts the same in sum); undefined when every row counts 1. */
export function rowWeights(
  weights: Float64Array | undefined,
  y: ClassTargets,
  classWeights: "none" | "balanced",
): Float64Array | undefined {
  if (classWeights === "none") return weights;
  const sums = new Float64Array(y.labels.values.length);
  let total = 0;
  for (let r = 0; r < y.indices.length; r++) {
    const weight = weights?.[r] ?? 1;
    sums[y.indices[r]!]! += weight;
    total += weight;
  }
  const present = sums.filter((sum) => sum > 0).length;
  return Float64Array.from(y.indices, (c, r) => ((weights?.[r] ?? 1) * total) / (present * sums[c]!));
}

/** The matrix with every cell written out. Throws RESOURCE_EXHAUSTED for one that would be too large. */
export function toDense(x: Matrix): DenseMatrix {
  if (x.kind === "dense") return x;
  if (x.rows * x.cols > densestCells) {
    throw new AimassError(
      "RESOURCE_EXHAUSTED",
      `${x.rows} sparse rows of ${x.cols} columns are too many to write out.`,
      {
        reason: "TOO_WIDE",
        remedy: "Use a linear model or multinomial naive Bayes, or features with fewer columns.",
      },
    );
  }
  const data = new Float32Array(x.rows * x.cols);
  for (let r = 0; r < x.rows; r++) {
    for (let i = x.offsets[r]!; i < x.offsets[r + 1]!; i++) data[r * x.cols + x.columns[i]!] = x.values[i]!;
  }
  return { kind: "dense", rows: x.rows, cols: x.cols, data };
}

/** Throws INVALID_ARGUMENT when rows to predict are not as wide as those that were learned from. */
export function checkWidth(x: Matrix, cols: number): void {
  if (x.cols !== cols) throw invalid(`The rows have ${x.cols} columns; the model learned from ${cols}.`, "BAD_SHAPE");
}

/** A number times 0 is 0, unless it is infinite or no number: one pass without branches finds out whether any is. */
function checkCells(x: Matrix, { missing, name }: Pick<Estimator, "name" | "missing">): void {
  const cells = x.kind === "dense" ? x.data : x.values;
  let sum = 0;
  for (let i = 0; i < cells.length; i++) sum += cells[i]! * 0;
  if (sum === 0) return;
  const isBad = (cell: number) => !Number.isFinite(cell) && !(missing && Number.isNaN(cell));
  const at = cells.findIndex(isBad);
  if (at < 0) return;
  const { row, column } = placeOf(x, at);
  const remedy = missing ? "Cells are finite, or NaN where missing." : "Fill in missing cells first.";
  throw invalid(`The cell in row ${row}, column ${column} is ${cells[at]}; ${name} cannot use it.`, "BAD_CELL", remedy);
}

function placeOf(x: Matrix, at: number): { row: number; column: number } {
  if (x.kind === "dense") return { row: Math.floor(at / x.cols), column: at % x.cols };
  return { row: x.offsets.findLastIndex((offset) => offset <= at), column: x.columns[at]! };
}

function lengthMismatch(targets: number, rows: number): AimassError {
  return invalid(`There are ${targets} targets for ${rows} rows.`, "BAD_TARGET", "Give one target a row.");
}

function invalid(message: string, reason: string, remedy?: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, remedy === undefined ? { reason } : { reason, remedy });
}
