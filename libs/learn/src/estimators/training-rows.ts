import { AimassError } from "@aimass/core";
import type { Estimator, FitOptions, RowStream } from "../estimator.ts";
import type { DenseMatrix, Matrix } from "../matrix.ts";
import type { ClassLabels, ClassTargets, NumericTargets, Targets } from "../targets.ts";

/** Cells a sparse matrix may have when it is made dense. */
const densestCells = 2 ** 28;

/** Checks rows and weights; throws INVALID_ARGUMENT naming the first bad cell. */
export function checkRows(estimator: Pick<Estimator, "name" | "missing">, x: Matrix, options: FitOptions): void {
  checkSize(x);
  checkCells(x, estimator);
  checkWeights(options.weights, x.rows);
}

/** Checks what a stream says of itself. */
export function checkShape(rows: RowStream, targets: Targets["kind"]): void {
  checkSize(rows);
  if (rows.targets.kind !== targets) throw wrongTargets(rows.targets.kind);
}

/** Checks what rows count; undefined is 1 each. */
export function checkWeights(weights: Float64Array | undefined, rows: number): void {
  if (weights === undefined) return;
  if (weights.length !== rows) {
    throw invalid(`There are ${weights.length} weights for ${rows} rows.`, "BAD_WEIGHTS", "Give one weight a row.");
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
  if (y.kind !== "numbers") throw wrongTargets(y.kind);
  if (y.values.length !== rows) throw lengthMismatch(y.values.length, rows);
  checkNumbers(y);
  return y;
}

/** The targets as classes, at least two of which have rows that count. */
export function classTargets(y: Targets, rows: number, weights: Float64Array | undefined): ClassTargets {
  if (y.kind !== "classes") throw wrongTargets(y.kind);
  if (y.indices.length !== rows) throw lengthMismatch(y.indices.length, rows);
  checkClasses(y);
  const sums = new Float64Array(y.labels.values.length);
  for (let r = 0; r < rows; r++) sums[y.indices[r]!]! += weights === undefined ? 1 : weights[r]!;
  requireTwoClasses(sums, y.labels);
  return y;
}

/** Numbers have to be finite; `firstRow` is the position of the first among all rows. */
export function checkNumbers(y: Targets, firstRow = 0): void {
  if (y.kind !== "numbers") throw wrongTargets(y.kind);
  let sum = 0;
  for (let r = 0; r < y.values.length; r++) sum += y.values[r]! * 0;
  if (sum === 0) return;
  const bad = y.values.findIndex((value) => !Number.isFinite(value));
  const message = `The target of row ${firstRow + bad} is ${y.values[bad]}.`;
  throw invalid(message, "BAD_TARGET", "Targets are finite numbers.");
}

/** Classes have to be positions of labels. */
export function checkClasses(y: Targets, firstRow = 0): void {
  if (y.kind !== "classes") throw wrongTargets(y.kind);
  const { length } = y.labels.values;
  for (let r = 0; r < y.indices.length; r++) {
    const index = y.indices[r]!;
    if (index >= 0 && index < length) continue;
    throw invalid(`Row ${firstRow + r} has the class ${index}, but there are ${length} labels.`, "BAD_TARGET");
  }
}

/** Throws FAILED_PRECONDITION when all weight is on one class. */
export function requireTwoClasses(sums: Float64Array, { values }: ClassLabels): void {
  const first = sums.findIndex((sum) => sum > 0);
  if (sums.some((sum, c) => c > first && sum > 0)) return;
  throw new AimassError("FAILED_PRECONDITION", `Every row has the class "${values[first]}".`, {
    reason: "ONE_CLASS",
    remedy: "Give rows of at least two classes.",
  });
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

/** Cells have to be finite (or missing, where that is understood). `firstRow` is the position of the first row among all. */
export function checkCells(x: Matrix, estimator: Pick<Estimator, "name" | "missing">, firstRow = 0): void {
  const { missing, name } = estimator;
  const cells = x.kind === "dense" ? x.data : x.values;
  if (allFinite(cells)) return;
  const isBad = (cell: number) => !Number.isFinite(cell) && !(missing && Number.isNaN(cell));
  const at = cells.findIndex(isBad);
  if (at < 0) return;
  const { row, column } = placeOf(x, at);
  const place = `The cell in row ${firstRow + row}, column ${column}`;
  const remedy = missing ? "Cells are finite, or NaN where missing." : "Fill in missing cells first.";
  throw invalid(`${place} is ${cells[at]}; ${name} cannot use it.`, "BAD_CELL", remedy);
}

/** A number times 0 is 0, unless it is infinite or no number: one pass without branches finds out, in four sums so that none waits for another. */
function allFinite(cells: Float32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  const end = cells.length & ~3;
  for (let i = 0; i < end; i += 4) {
    a += cells[i]! * 0;
    b += cells[i + 1]! * 0;
    c += cells[i + 2]! * 0;
    d += cells[i + 3]! * 0;
  }
  for (let i = end; i < cells.length; i++) a += cells[i]! * 0;
  return a + b + c + d === 0;
}

function placeOf(x: Matrix, at: number): { row: number; column: number } {
  if (x.kind === "dense") return { row: Math.floor(at / x.cols), column: at % x.cols };
  return { row: x.offsets.findLastIndex((offset) => offset <= at), column: x.columns[at]! };
}

function checkSize({ rows, cols }: { readonly rows: number; readonly cols: number }): void {
  if (rows === 0) throw invalid("There are no rows to learn from.", "EMPTY_DATA", "Give at least one row.");
  if (cols === 0) throw invalid("The rows have no columns.", "EMPTY_DATA", "Give at least one feature.");
}

function wrongTargets(kind: Targets["kind"]): AimassError {
  return kind === "numbers"
    ? invalid("The target is a number, not a class.", "BAD_TARGET", "Use a regression.")
    : invalid("The target is a class, not a number.", "BAD_TARGET", "Use a classification.");
}

function lengthMismatch(targets: number, rows: number): AimassError {
  return invalid(`There are ${targets} targets for ${rows} rows.`, "BAD_TARGET", "Give one target a row.");
}

function invalid(message: string, reason: string, remedy?: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, remedy === undefined ? { reason } : { reason, remedy });
}
