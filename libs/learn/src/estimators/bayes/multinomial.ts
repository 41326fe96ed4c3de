import { AimassError } from "@aimass/core";
import type { Estimator, FitOptions, Fitted, RowStream } from "../../estimator.ts";
import { Pacer } from "../../pacer.ts";
import { resolveParameters } from "../../parameters.ts";
import type { ClassTargets } from "../../targets.ts";
import { LinearClassifier } from "../linear/linear-classifier.ts";
import { addClassWeights, classRows, rowsInMemory, type WeighedBatch } from "../row-passes.ts";
import { requireTwoClasses } from "../training-rows.ts";
import { logPriors } from "./priors.ts";

const blockRows = 1024;

/**
 * Multinomial naive Bayes (Manning, Raghavan and Schütze 2008, chapter 13): features are counts or other amounts ≥ 0. Streams are read once; memory is
 * 8 · cols · classes bytes and a batch.
 */
export const multinomialNaiveBayes: Estimator = {
  name: "multinomial-naive-bayes",
  task: "classification",
  description: "Naive Bayes over counts. One pass over the rows; a baseline for text.",
  parameters: [
    {
      kind: "number",
      name: "smoothing",
      default: 1,
      minimum: 1e-10,
      maximum: 1e6,
      meaning: "Added to the count of every feature in every class, so that none is impossible.",
      search: { scale: "log", from: 1e-3, to: 10 },
    },
  ],
  sparse: true,
  missing: false,
  fit: (x, y, options) => fitStream(rowsInMemory(x, y), options),
  fitStream,
  fromJson: (json) => LinearClassifier.fromJson(json),
};

async function fitStream(rows: RowStream, options: FitOptions): Promise<Fitted> {
  const { smoothing } = resolveParameters<{ smoothing: number }>(multinomialNaiveBayes.parameters, options.parameters);
  const passes = classRows(multinomialNaiveBayes, rows, options, "unchecked");
  const { labels, cols } = passes;
  const classes = labels.values.length;
  const classSums = new Float64Array(classes);
  const weights = new Float64Array(cols * classes);
  const pacer = new Pacer(options.signal);
  let areAmounts = true;
  await passes.eachBlock(blockRows, pacer, (batch, from, to) => {
    addClassWeights(classSums, batch, from, to);
    const add = batch.x.kind === "dense" ? addDense : addSparse;
    areAmounts = add(weights, classes, batch, from, to) && areAmounts;
  });
  const totals = totalsOf(weights, classes);
  if (!(areAmounts && totals.every(Number.isFinite))) await refuse(rows, options, pacer);
  requireTwoClasses(classSums, labels);
  makeLogShares(weights, totals, smoothing);
  options.onProgress?.(1, 1, 0);
  return new LinearClassifier({ labels, weights, intercepts: logPriors(classSums) });
}

type Batch = WeighedBatch<ClassTargets>;

/** Adds rows to the sums [cols × classes]; false if a cell is no amount. */
function addDense(sums: Float64Array, classes: number, { x, y, weights }: Batch, from: number, to: number): boolean {
  if (x.kind !== "dense") return true;
  const { data, cols } = x;
  let areAmounts = true;
  for (let r = from, i = from * cols; r < to; r++) {
    const weight = weights === undefined ? 1 : weights[r]!;
    for (let at = y.indices[r]!, end = at + cols * classes; at < end; at += classes, i++) {
      const cell = data[i]!;
      if (!(cell >= 0)) areAmounts = false;
      sums[at]! += cell * weight;
    }
  }
  return areAmounts;
}

/** The same for the cells that sparse rows have. */
function addSparse(sums: Float64Array, classes: number, { x, y, weights }: Batch, from: number, to: number): boolean {
  if (x.kind !== "sparse") return true;
  const { columns, values, offsets } = x;
  let areAmounts = true;
  for (let r = from, i = offsets[from]!; r < to; r++) {
    const weight = weights === undefined ? 1 : weights[r]!;
    const c = y.indices[r]!;
    for (const end = offsets[r + 1]!; i < end; i++) {
      const cell = values[i]!;
      if (!(cell >= 0)) areAmounts = false;
      sums[columns[i]! * classes + c]! += cell * weight;
    }
  }
  return areAmounts;
}

/** Of sums [cols × classes] those of all columns. */
function totalsOf(sums: Float64Array, classes: number): Float64Array {
  const totals = new Float64Array(classes);
  for (let i = 0; i < sums.length; i += classes) for (let c = 0; c < classes; c++) totals[c]! += sums[i + c]!;
  return totals;
}

/** Sums [cols × classes] into logarithms of their share in the total of the class. */
function makeLogShares(sums: Float64Array, totals: Float64Array, smoothing: number): void {
  const classes = totals.length;
  const cols = sums.length / classes;
  const logTotals = totals.map((total) => Math.log(total + cols * smoothing));
  // Most words of a text are unknown to most classes.
  const logSmoothing = Math.log(smoothing);
  for (let i = 0; i < sums.length; i += classes) {
    for (let c = 0; c < classes; c++) {
      const sum = sums[i + c]!;
      sums[i + c] = (sum === 0 ? logSmoothing : Math.log(sum + smoothing)) - logTotals[c]!;
    }
  }
}

/** Reads the rows once more for the cell that is no amount. */
async function refuse(rows: RowStream, options: FitOptions, pacer: Pacer): Promise<void> {
  await classRows(multinomialNaiveBayes, rows, options).eachBlock(blockRows, pacer, ({ x }) => {
    const cells = x.kind === "dense" ? x.data : x.values;
    const negative = cells.find((cell) => cell < 0);
    if (negative === undefined) return;
    throw new AimassError("INVALID_ARGUMENT", `A feature is ${negative}; multinomial naive Bayes takes amounts.`, {
      reason: "BAD_CELL",
      remedy: "Use features ≥ 0 such as counts or TF-IDF (no standardising), or Gaussian naive Bayes.",
    });
  });
}
