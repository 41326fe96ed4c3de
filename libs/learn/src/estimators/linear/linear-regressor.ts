import { AimassError } from "@aimass/core";
import type { GraphBuilder } from "@aimass/onnx";
import type { Fitted, GraphOutput } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { type Json, packArray, unpackArray } from "../../packed-array.ts";
import type { NumericPrediction } from "../../targets.ts";
import { addNumber, toDouble } from "../graph-parts.ts";
import { checkWidth } from "../training-rows.ts";
import { linearScores } from "./linear-scores.ts";

/** value = intercept + Σⱼ weights[j] · x[j], in double precision. */
export class LinearRegressor implements Fitted {
  readonly weights: Float64Array;
  readonly intercept: number;

  constructor(weights: Float64Array, intercept: number) {
    this.weights = weights;
    this.intercept = intercept;
  }

  get cols(): number {
    return this.weights.length;
  }

  predict(x: Matrix): NumericPrediction {
    checkWidth(x, this.cols);
    return { kind: "numbers", values: linearScores(x, this.weights, Float64Array.of(this.intercept)) };
  }

  addToGraph(graph: GraphBuilder, input: string): readonly GraphOutput[] {
    const weights = graph.constant("weights", "FP64", [this.cols, 1], this.weights);
    const intercept = graph.constant("intercept", "FP64", [1], Float64Array.of(this.intercept));
    return addNumber(graph, graph.node("Add", [graph.node("MatMul", [toDouble(graph, input), weights]), intercept]));
  }

  toJson(): Json {
    return { kind: "linear-regressor", weights: packArray(this.weights), intercept: this.intercept };
  }

  static fromJson(json: Json): LinearRegressor {
    const { kind, weights, intercept } = json as { [key: string]: Json };
    if (kind !== "linear-regressor" || typeof intercept !== "number") {
      throw new AimassError("DATA_LOSS", "The saved model is not a linear regression.");
    }
    return new LinearRegressor(unpackArray("Float64Array", weights), intercept);
  }
}
