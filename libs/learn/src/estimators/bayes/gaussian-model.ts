import { AimassError } from "@aimass/core";
import type { GraphBuilder } from "@aimass/onnx";
import type { Fitted, GraphOutput } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { type Json, packArray, unpackArray } from "../../packed-array.ts";
import type { ClassLabels, ClassPrediction } from "../../targets.ts";
import { labelsFromJson, labelsToJson, softmaxPrediction } from "../class-scores.ts";
import { addClasses, addSoftmax, toDouble } from "../graph-parts.ts";
import { checkWidth, toDense } from "../training-rows.ts";

/** Means and variances are [classes × cols]. */
export interface Gaussians {
  readonly labels: ClassLabels;
  readonly means: Float64Array;
  readonly variances: Float64Array;
  readonly logPriors: Float64Array;
}

/** Score of a class: its log prior and the log density of the row. */
export class GaussianModel implements Fitted {
  readonly gaussians: Gaussians;
  /** 1 / σ of each class and column. */
  readonly #inverse: Float64Array;
  /** The part of a score that is the same for every row. */
  readonly #constants: Float64Array;

  constructor(gaussians: Gaussians) {
    this.gaussians = gaussians;
    const { variances, logPriors } = gaussians;
    this.#inverse = variances.map((variance) => 1 / Math.sqrt(variance));
    const cols = variances.length / logPriors.length;
    this.#constants = logPriors.map((prior, c) => {
      let sum = 0;
      for (let j = 0; j < cols; j++) sum += Math.log(2 * Math.PI * variances[c * cols + j]!);
      return prior - 0.5 * sum;
    });
  }

  get cols(): number {
    return this.gaussians.means.length / this.gaussians.logPriors.length;
  }

  predict(x: Matrix): ClassPrediction {
    checkWidth(x, this.cols);
    const { data, rows, cols } = toDense(x);
    const { means, labels } = this.gaussians;
    const classes = labels.values.length;
    const scores = new Float64Array(rows * classes);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < classes; c++) {
        let sum = 0;
        for (let j = 0; j < cols; j++) {
          const z = (data[r * cols + j]! - means[c * cols + j]!) * this.#inverse[c * cols + j]!;
          sum += z * z;
        }
        scores[r * classes + c] = this.#constants[c]! - 0.5 * sum;
      }
    }
    return softmaxPrediction(scores, labels);
  }

  addToGraph(graph: GraphBuilder, input: string): readonly GraphOutput[] {
    const { means, labels } = this.gaussians;
    const classes = labels.values.length;
    const between = graph.constant("between", "INT64", [1], BigInt64Array.of(1n));
    const columns = graph.constant("columns", "INT64", [1], BigInt64Array.of(2n));
    const mean = graph.constant("means", "FP64", [1, classes, this.cols], means);
    const inverse = graph.constant("inverse_deviations", "FP64", [1, classes, this.cols], this.#inverse);
    const rows = graph.node("Unsqueeze", [toDouble(graph, input), between]);
    const z = graph.node("Mul", [graph.node("Sub", [rows, mean]), inverse]);
    // ReduceSum over axis 2 of [N, classes, cols].
    const squares = graph.node("ReduceSum", [graph.node("Mul", [z, z]), columns], { keepdims: { int: 0 } });
    const half = graph.constant("half", "FP64", [1, 1], Float64Array.of(-0.5));
    const constants = graph.constant("constants", "FP64", [classes], this.#constants);
    const scores = graph.node("Add", [graph.node("Mul", [squares, half]), constants]);
    return addClasses(graph, { scores, probabilities: addSoftmax(graph, scores), labels });
  }

  toJson(): Json {
    const { labels, means, variances, logPriors } = this.gaussians;
    return {
      kind: "gaussian",
      labels: labelsToJson(labels),
      means: packArray(means),
      variances: packArray(variances),
      logPriors: packArray(logPriors),
    };
  }

  static fromJson(json: Json): GaussianModel {
    const { kind, labels, means, variances, logPriors } = json as { [key: string]: Json };
    if (kind !== "gaussian") throw new AimassError("DATA_LOSS", "The saved model is not Gaussian naive Bayes.");
    return new GaussianModel({
      labels: labelsFromJson(labels),
      means: unpackArray("Float64Array", means),
      variances: unpackArray("Float64Array", variances),
      logPriors: unpackArray("Float64Array", logPriors),
    });
  }
}
