import type { OperatorTable, Rule } from "../node-view.ts";
import { allOf } from "./elementwise.ts";

/** Operators that couple rows whatever they are given, each with why: it is said to people. */
const reasons: Readonly<Record<string, string>> = {
  Unique: "gives as many elements as are different in the whole run",
  NonMaxSuppression: "gives as many boxes as it finds in the whole run",
  RoiAlign: "names rows by their place in the run",
  MaxRoiPool: "names rows by their place in the run",
  MaxUnpool: "takes places counted through all rows of a run",
  EyeLike: "makes a matrix as long as the batch",
  ImageDecoder: "reads a single image",
};

const randomness: Rule = (node) =>
  node.mixed("draws random numbers, so that what a row gets depends on its place in a run");

/** Operators that are never proven, whatever they are given. */
export const coupling: OperatorTable = {
  source: "ai.onnx: each operator's own section",
  rules: {
    ...Object.fromEntries(
      Object.entries(reasons).map(([name, reason]) => [name, ((node) => node.mixed(reason)) satisfies Rule]),
    ),
  },
};

/** Operators whose outputs differ from run to run, even of the same inputs. */
export const random: OperatorTable = {
  source: "ai.onnx: Random generators",
  rules: allOf("Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike", randomness),
};
