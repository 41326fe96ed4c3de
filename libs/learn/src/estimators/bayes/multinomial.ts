import { AimassError } from "@aimass/core";
import type { Estimator, FitOptions, Fitted, RowStream } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { Pacer } from "../../pacer.ts";
import { resolveParameters } from "../../parameters.ts";
import type { ClassTargets } from "../../targets.ts";
import { LinearClassifier } from "../linear/linear-classifier.ts";
import { classRows, rowsInMemory, type WeighedBatch } from "../row-passes.ts";
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
  const passes = classRows(multinomialNaiveBayes, rows, options);
  const { labels, cols } = passes;
  const classes = labels.values.length;
  const classSums = new Float64Array(classes);
  const weights = new Float64Array(cols * classes);
  await passes.eachBlock(blockRows, new Pacer(options.signal), (batch, from, to) => {
    checkAmounts(batch.x, from, to);
    addByClass(weights, classSums, batch, from, to);
  });
  requireTwoClasses(classSums, labels);
  makeLogShares(weights, classes, smoothing);
  options.onProgress?.(1, 1, 0);
  return new LinearClassifier({ labels, weights, intercepts: logPriors(classSums) });
}

/** Adds rows to the sums [cols × classes] of features and the sums of classes. */
function addByClass(
  sums: Float64Array,
  classSums: Float64Array,
  { x, y, weights }: WeighedBatch<ClassTargets>,
  from: number,
  to: number,
): void {
  const classes = classSums.length;
  const { indices } = y;
  for (let r = from; r < to; r++) {
    const weight = weights === undefined ? 1 : weights[r]!;
    const c = indices[r]!;
    classSums[c]! += weight;
    if (x.kind === "dense") {
      for (let j = 0, i = r * x.cols; j < x.cols; j++, i++) sums[j * classes + c]! += x.data[i]! * weight;
    } else {
      const { columns, values, offsets } = x;
      const end = offsets[r + 1]!;
      for (let i = offsets[r]!; i < end; i++) sums[columns[i]! * classes + c]! += values[i]! * weight;
    }
  }
}

/** Sums [cols × classes] into logarithms of their share in the sum of the class. */
function makeLogShares(sums: Float64Array, classes: number, smoothing: number): void {
  const totals = new Float64Array(classes);
  for (let i = 0; i < sums.length; i += classes) {
    for (let c = 0; c < classes; c++) totals[c]! += sums[i + c]! + smoothing;
  }
  const logTotals = totals.map(Math.log);
  for (let i = 0; i < sums.length; i += classes) {
    for (let c = 0; c < classes; c++) sums[i + c] = Math.log(sums[i + c]! + smoothing) - logTotals[c]!;
  }
}

function checkAmounts(x: Matrix, from: number, to: number): void {
  const cells = x.kind === "dense" ? x.data : x.values;
  const start = x.kind === "dense" ? from * x.cols : x.offsets[from]!;
  const end = x.kind === "dense" ? to * x.cols : x.offsets[to]!;
  let least = 0;
  for (let i = start; i < end; i++) if (cells[i]! < least) least = cells[i]!;
  if (least === 0) return;
  throw new AimassError("INVALID_ARGUMENT", `A feature is ${least}; multinomial naive Bayes takes amounts.`, {
    reason: "BAD_CELL",
    remedy: "Use features ≥ 0 such as counts or TF-IDF (no standardising), or Gaussian naive Bayes.",
  });
}
