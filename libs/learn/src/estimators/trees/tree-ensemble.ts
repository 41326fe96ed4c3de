import { AimassError } from "@aimass/core";
import type { GraphBuilder } from "@aimass/onnx";
import type { Fitted, GraphOutput } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { type Json, packArray, unpackArray } from "../../packed-array.ts";
import type { ClassLabels, Prediction } from "../../targets.ts";
import { bothScores, highest, labelsFromJson, labelsToJson, softmaxPrediction } from "../class-scores.ts";
import { addBothScores, addClasses, addNumber, addSoftmax, toDouble } from "../graph-parts.ts";
import { checkWidth, toDense } from "../training-rows.ts";
import { addTrees } from "./ensemble-graph.ts";
import { leafOf, type Tree, treeFromJson, treeToJson } from "./tree.ts";

/** What sums of leaves are: the value; log-odds of the second class; scores for softmax; or probabilities. */
export type Link = "value" | "log-odds" | "softmax" | "shares";

export interface EnsembleParts {
  readonly cols: number;
  readonly trees: readonly Tree[];
  /** Sums a row has. A tree of width 1 adds to the sum of its index modulo this, a wider one to all. */
  readonly outputs: number;
  /** Where the sums start. */
  readonly base: Float64Array;
  readonly link: Link;
  /** Present for a classification. */
  readonly labels: ClassLabels | undefined;
}

/** Sums over the leaves a row falls into. As the served graph does, it adds in double precision and rounds sums to FP32, so that both break ties alike. */
export class TreeEnsemble implements Fitted {
  readonly parts: EnsembleParts;

  constructor(parts: EnsembleParts) {
    this.parts = parts;
  }

  get cols(): number {
    return this.parts.cols;
  }

  predict(x: Matrix): Prediction {
    checkWidth(x, this.cols);
    const { link, labels } = this.parts;
    const sums = Float64Array.from(this.#sums(x), Math.fround);
    if (labels === undefined) return { kind: "numbers", values: sums };
    if (link === "shares") {
      return { kind: "classes", indices: highest(sums, labels.values.length), probabilities: sums, labels };
    }
    return softmaxPrediction(link === "log-odds" ? bothScores(sums) : sums, labels);
  }

  addToGraph(graph: GraphBuilder, input: string): readonly GraphOutput[] {
    const { link, labels } = this.parts;
    const sums = toDouble(graph, addTrees(graph, toDouble(graph, input), this.parts));
    if (labels === undefined) return addNumber(graph, sums);
    if (link === "shares") return addClasses(graph, { scores: sums, probabilities: sums, labels });
    const scores = link === "log-odds" ? addBothScores(graph, sums) : sums;
    return addClasses(graph, { scores, probabilities: addSoftmax(graph, scores), labels });
  }

  toJson(): Json {
    const { cols, trees, outputs, base, link, labels } = this.parts;
    return {
      kind: "trees",
      cols,
      outputs,
      link,
      base: packArray(base),
      labels: labels === undefined ? null : labelsToJson(labels),
      trees: trees.map(treeToJson),
    };
  }

  static fromJson(json: Json): TreeEnsemble {
    const saved = json as { [key: string]: Json };
    if (saved.kind !== "trees") throw new AimassError("DATA_LOSS", "The saved model is not made of trees.");
    return new TreeEnsemble({
      cols: saved.cols as number,
      outputs: saved.outputs as number,
      link: saved.link as Link,
      base: unpackArray("Float64Array", saved.base),
      labels: saved.labels === null ? undefined : labelsFromJson(saved.labels),
      trees: (saved.trees as readonly Json[]).map(treeFromJson),
    });
  }

  /** Tree by tree, so that a tree stays in the cache. */
  #sums(x: Matrix): Float64Array {
    const { trees, outputs, base } = this.parts;
    const { data, rows, cols } = toDense(x);
    const sums = new Float64Array(rows * outputs);
    for (const [t, tree] of trees.entries()) {
      const { values, width } = tree;
      for (let r = 0; r < rows; r++) {
        const leaf = leafOf(tree, data, r * cols);
        if (width === 1) sums[r * outputs + (t % outputs)]! += values[leaf]!;
        else for (let k = 0; k < width; k++) sums[r * outputs + k]! += values[leaf * width + k]!;
      }
    }
    for (let i = 0; i < sums.length; i++) sums[i]! += base[i % outputs]!;
    return sums;
  }
}
