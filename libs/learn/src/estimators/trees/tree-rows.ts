import { AimassError } from "@aimass/core";
import type { Estimator, FitOptions, RowStream } from "../../estimator.ts";
import type { Pacer } from "../../pacer.ts";
import type { ClassTargets, NumericTargets } from "../../targets.ts";
import { classRows, numericRows } from "../row-passes.ts";
import { requireTwoClasses, rowWeights } from "../training-rows.ts";
import { type BinnedMatrix, binRows, learnCuts } from "./binned-matrix.ts";

/** Cells that bins are kept of at most. */
const mostCells = 2 ** 32;

/** What trees grow on: the bin of every cell, and the target and weight (1 where there are none) of every row. */
export interface TreeRows<Bins extends Uint8Array | Uint16Array> {
  readonly binned: BinnedMatrix<Bins>;
  readonly targets: NumericTargets | ClassTargets;
  readonly weights: Float64Array | undefined;
}

interface Reading<Bins extends Uint8Array | Uint16Array> {
  readonly pacer: Pacer;
  readonly classWeights: "none" | "balanced";
  /** The bin of a missing cell. */
  readonly missing: number;
  readonly allocate: (cells: number) => Bins;
}

/** Reads rows in two passes: cuts are learned in the first, bins kept in the second. */
export async function readTreeRows<Bins extends Uint8Array | Uint16Array>(
  estimator: Estimator,
  rows: RowStream,
  options: FitOptions,
  { pacer, classWeights, missing, allocate }: Reading<Bins>,
): Promise<TreeRows<Bins>> {
  if (rows.rows * rows.cols > mostCells) {
    throw new AimassError("RESOURCE_EXHAUSTED", `${rows.rows} rows of ${rows.cols} columns are too many for trees.`, {
      reason: "TOO_LARGE",
      remedy: `Use at most ${mostCells} cells, or a linear model.`,
    });
  }
  const random = options.random.fork(0);
  const { tolerances } = options;
  if (estimator.task === "regression") {
    const passes = numericRows(estimator, rows, options);
    const values = new Float64Array(rows.rows);
    const cuts = await learnCuts(passes, {
      random,
      pacer,
      missing,
      tolerances,
      inspect: ({ y }, from) => values.set(y.values, from),
    });
    const binned = await binRows(passes, { pacer, cuts, missing, bins: allocate(rows.rows * rows.cols) });
    return { binned, targets: { kind: "numbers", values }, weights: options.weights };
  }
  const passes = classRows(estimator, rows, options);
  const targets: ClassTargets = { kind: "classes", indices: new Int32Array(rows.rows), labels: passes.labels };
  const inspect = ({ y }: { y: ClassTargets }, from: number) => targets.indices.set(y.indices, from);
  const cuts = await learnCuts(passes, { random, pacer, missing, tolerances, inspect });
  requireTwoClasses(classSums(targets, options.weights), targets.labels);
  const binned = await binRows(passes, { pacer, cuts, missing, bins: allocate(rows.rows * rows.cols) });
  return { binned, targets, weights: rowWeights(options.weights, targets, classWeights) };
}

function classSums({ indices, labels }: ClassTargets, weights: Float64Array | undefined): Float64Array {
  const sums = new Float64Array(labels.values.length);
  for (let r = 0; r < indices.length; r++) sums[indices[r]!]! += weights === undefined ? 1 : weights[r]!;
  return sums;
}
