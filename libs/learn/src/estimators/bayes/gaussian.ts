import type { Estimator, FitOptions, Fitted, RowStream } from "../../estimator.ts";
import { Pacer } from "../../pacer.ts";
import { resolveParameters } from "../../parameters.ts";
import { classRows, rowsInMemory } from "../row-passes.ts";
import { requireTwoClasses } from "../training-rows.ts";
import { ClassMoments } from "./class-moments.ts";
import { GaussianModel } from "./gaussian-model.ts";
import { logPriors } from "./priors.ts";

const blockRows = 256;

/**
 * Gaussian naive Bayes: in each class every feature is normally distributed and independent of the others. Streams are read once; memory is
 * 16 · cols · classes bytes and a batch.
 */
export const gaussianNaiveBayes: Estimator = {
  name: "gaussian-naive-bayes",
  task: "classification",
  description: "Naive Bayes over measurements. One pass over the rows; a baseline for few rows.",
  parameters: [
    {
      kind: "number",
      name: "smoothing",
      default: 1e-9,
      minimum: 1e-12,
      maximum: 1,
      meaning: "Added to every variance, as a share of the largest variance of a feature.",
      search: { scale: "log", from: 1e-11, to: 1e-2 },
    },
  ],
  sparse: false,
  missing: false,
  fit: (x, y, options) => fitStream(rowsInMemory(x, y), options),
  fitStream,
  fromJson: (json) => GaussianModel.fromJson(json),
};

async function fitStream(rows: RowStream, options: FitOptions): Promise<Fitted> {
  const { smoothing } = resolveParameters<{ smoothing: number }>(gaussianNaiveBayes.parameters, options.parameters);
  const passes = classRows(gaussianNaiveBayes, rows, options);
  const { labels, cols } = passes;
  const moments = new ClassMoments(labels.values.length, cols);
  await passes.eachBlock(blockRows, new Pacer(options.signal), (batch, from, to) => moments.add(batch, from, to));
  requireTwoClasses(moments.totals, labels);
  const floor = smoothing * (moments.widest() || 1);
  options.onProgress?.(1, 1, 0);
  return new GaussianModel({
    labels,
    means: moments.means,
    variances: moments.variances().map((variance) => variance + floor),
    logPriors: logPriors(moments.totals),
  });
}
