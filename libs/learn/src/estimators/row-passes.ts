import { AimassError } from "@aimass/core";
import type { Estimator, FitOptions, RowBatch, RowStream } from "../estimator.ts";
import type { Matrix } from "../matrix.ts";
import type { Pacer } from "../pacer.ts";
import type { ClassLabels, ClassTargets, NumericTargets, Targets } from "../targets.ts";
import {
  checkCells,
  checkClasses,
  checkNumbers,
  checkShape,
  checkWeights,
  requireTwoClasses,
} from "./training-rows.ts";

/** Rows that are worked at next, with what each counts: 1 where there are no weights. */
export interface WeighedBatch<Y extends Targets> {
  readonly x: Matrix;
  readonly y: Y;
  readonly weights: Float64Array | undefined;
}

/** All rows as a stream of one batch. */
export function rowsInMemory(x: Matrix, y: Targets): RowStream {
  return {
    rows: x.rows,
    cols: x.cols,
    layout: x.kind,
    targets: y.kind === "numbers" ? { kind: "numbers" } : { kind: "classes", labels: y.labels },
    async *batches() {
      yield { x, y };
    },
  };
}

/** The rows of a regression, whose cells may be left unchecked by those who find out themselves. */
export function numericRows(
  estimator: Checked,
  rows: RowStream,
  options: FitOptions,
  cells: "checked" | "unchecked" = "checked",
): RowPasses<NumericTargets> {
  checkShape(rows, "numbers");
  return new RowPasses<NumericTargets>(rows, options, (batch, from) => {
    if (cells === "checked") checkCells(batch.x, estimator, from);
    checkNumbers(batch.y, from);
  });
}

/** The rows of a classification, which still may have one class only. */
export function classRows(
  estimator: Checked,
  rows: RowStream,
  options: FitOptions,
  cells: "checked" | "unchecked" = "checked",
): RowPasses<ClassTargets> {
  checkShape(rows, "classes");
  return new RowPasses<ClassTargets>(rows, options, (batch, from) => {
    if (cells === "checked") checkCells(batch.x, estimator, from);
    checkClasses(batch.y, from);
  });
}

type Checked = Pick<Estimator, "name" | "missing">;

/** What rows count beside their own weights. */
interface RowFactors {
  /** By class. */
  readonly classes?: Float64Array;
  /** By row, 0 or 1. */
  readonly rows?: Uint8Array;
}

/** Rows that a fit reads as often as it needs. What passes by the first time is checked; errors are INVALID_ARGUMENT. */
export class RowPasses<Y extends Targets> {
  readonly #stream: RowStream;
  readonly #options: FitOptions;
  readonly #check: (batch: RowBatch, from: number) => void;
  readonly #factors: RowFactors;
  #checked = false;
  /** Weights by class of a stream that is one batch, which need not be worked out again. */
  #weights: Float64Array | undefined;

  constructor(
    stream: RowStream,
    options: FitOptions,
    check: (batch: RowBatch, from: number) => void,
    factors: RowFactors = {},
  ) {
    this.#stream = stream;
    this.#options = options;
    this.#check = check;
    this.#factors = factors;
    checkWeights(options.weights, stream.rows);
  }

  get rows(): number {
    return this.#stream.rows;
  }

  get cols(): number {
    return this.#stream.cols;
  }

  get layout(): "dense" | "sparse" {
    return this.#stream.layout;
  }

  /** None for a regression. */
  get labels(): ClassLabels {
    const { targets } = this.#stream;
    return targets.kind === "classes" ? targets.labels : { datatype: "BYTES", values: [] };
  }

  async *pass(): AsyncGenerator<WeighedBatch<Y>> {
    let from = 0;
    for await (const batch of this.#stream.batches(this.#options.signal)) {
      this.#checkFit(batch, from);
      if (!this.#checked) this.#check(batch, from);
      yield { x: batch.x, y: batch.y as Y, weights: this.#weightsOf(batch, from) };
      from += batch.x.rows;
    }
    if (from !== this.rows) throw changed(`There were ${from} rows instead of ${this.rows}.`);
    this.#checked = true;
  }

  /** A pass in blocks of rows, during which the event loop gets its turns. */
  async eachBlock(
    blockRows: number,
    pacer: Pacer,
    work: (batch: WeighedBatch<Y>, from: number, to: number) => void,
  ): Promise<void> {
    for await (const batch of this.pass()) {
      for (let from = 0; from < batch.x.rows; from += blockRows) {
        work(batch, from, Math.min(batch.x.rows, from + blockRows));
        if (pacer.due) await pacer.breathe();
      }
    }
  }

  /** The same rows, each counting `classes[its class]` times as much. */
  withClassFactors(classes: Float64Array): RowPasses<Y> {
    return this.#counting({ ...this.#factors, classes });
  }

  /** The same rows, of which those count that are 1 in `rows`. */
  only(rows: Uint8Array): RowPasses<Y> {
    return this.#counting({ ...this.#factors, rows });
  }

  #counting(factors: RowFactors): RowPasses<Y> {
    const passes = new RowPasses<Y>(this.#stream, this.#options, this.#check, factors);
    passes.#checked = this.#checked;
    return passes;
  }

  #weightsOf({ x, y }: RowBatch, from: number): Float64Array | undefined {
    const { classes, rows } = this.#factors;
    const given = this.#options.weights?.subarray(from, from + x.rows);
    const indices = classes !== undefined && y.kind === "classes" ? y.indices : undefined;
    if (indices === undefined && rows === undefined) return given;
    if (this.#weights !== undefined) return this.#weights;
    const weights = new Float64Array(x.rows);
    for (let r = 0; r < x.rows; r++) {
      const byClass = indices === undefined ? 1 : classes![indices[r]!]!;
      weights[r] = (given?.[r] ?? 1) * byClass * (rows?.[from + r] ?? 1);
    }
    if (x.rows === this.rows) this.#weights = weights;
    return weights;
  }

  #checkFit({ x, y }: RowBatch, from: number): void {
    const { cols, layout, targets, rows } = this.#stream;
    const targetCount = y.kind === "numbers" ? y.values.length : y.indices.length;
    if (x.cols !== cols) throw changed(`Row ${from} has ${x.cols} columns instead of ${cols}.`);
    if (x.kind !== layout) throw changed(`Row ${from} is ${x.kind}; the rows are said to be ${layout}.`);
    if (y.kind !== targets.kind) throw changed(`The targets from row ${from} on are ${y.kind}, not ${targets.kind}.`);
    if (targetCount !== x.rows) throw changed(`There are ${targetCount} targets for ${x.rows} rows.`);
    if (from + x.rows > rows) throw changed(`There are more than ${rows} rows.`);
  }
}

/** Rows as the classes count, and the sum of weights of each class before that. Reads all rows once. */
export async function weighClasses(
  passes: RowPasses<ClassTargets>,
  classWeights: "none" | "balanced",
): Promise<{ passes: RowPasses<ClassTargets>; sums: Float64Array }> {
  const sums = new Float64Array(passes.labels.values.length);
  for await (const batch of passes.pass()) addClassWeights(sums, batch, 0, batch.x.rows);
  requireTwoClasses(sums, passes.labels);
  if (classWeights === "none") return { passes, sums };
  const total = sums.reduce((all, sum) => all + sum, 0);
  const present = sums.filter((sum) => sum > 0).length;
  const factors = sums.map((sum) => (sum > 0 ? total / (present * sum) : 0));
  return { passes: passes.withClassFactors(factors), sums: sums.map((sum, c) => sum * factors[c]!) };
}

/** Adds the weights of rows to their classes. */
export function addClassWeights(
  sums: Float64Array,
  { y, weights }: WeighedBatch<ClassTargets>,
  from: number,
  to: number,
): void {
  const { indices } = y;
  for (let r = from; r < to; r++) sums[indices[r]!]! += weights === undefined ? 1 : weights[r]!;
}

function changed(message: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, {
    reason: "BAD_SHAPE",
    remedy: "Every pass gives the same rows.",
  });
}
