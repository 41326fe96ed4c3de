import type { ModelProto, NodeProto } from "@aimass/api/onnx";
import { AimassError } from "@aimass/core";
import { graphFileName } from "../model-file.ts";
import { isOperator, nodesOf } from "../served/nodes.ts";

const randomOperators = new Set(
  "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike".split(" "),
);

/** Of the domain com.microsoft. */
const randomContributions = new Set("BiasDropout BitmaskBiasDropout BitmaskDropout Sampling".split(" "));

const remedy =
  "Export it for inference: call model.eval() before torch.onnx.export and leave its option training at EVAL, with Keras or TensorFlow export with training=False.";

/**
 * Refuses a model with operators that ONNX Runtime lets write into its own weights: BatchNormalization in training mode puts the running mean and variance of what
 * it was asked over those it began with, so that what one caller sends changes what the next one is answered. Errors: INVALID_ARGUMENT, STATEFUL_MODEL.
 */
export function assertNoTraining(model: ModelProto): void {
  for (const node of nodesOf(model)) {
    if (!keepsRunningStatistics(node)) continue;
    const name = JSON.stringify(node.name || node.output[0]);
    throw stateful(
      `BatchNormalization ${name} is in training mode and keeps running statistics: the rows of one request would change the answers to the next.`,
    );
  }
}

/** A model whose answer to the same input changed while others were answered. */
export function changedByOthers(output: string): AimassError {
  return stateful(
    `In trial runs the output ${JSON.stringify(output)} for one input changed after another input had been answered, and the model draws no random numbers: it keeps something of what it is asked.`,
  );
}

/** The first operator of a model that draws random numbers, or undefined. */
export function randomOperator(model: ModelProto): string | undefined {
  for (const node of nodesOf(model)) {
    // Dropout trains only where its third input says so, which may be known no sooner than it runs.
    const isDropout = isOperator(node, "Dropout") && (node.input[2] ?? "") !== "";
    const isRandom = isOperator(node, node.opType) && randomOperators.has(node.opType);
    if (isDropout || isRandom) return node.opType;
    if (node.domain === "com.microsoft" && randomContributions.has(node.opType)) return node.opType;
  }
  return undefined;
}

/** BatchNormalization-14 and later; before, ONNX Runtime itself refuses what trains. */
function keepsRunningStatistics(node: NodeProto): boolean {
  const trains = node.attribute.some(({ name, i }) => name === "training_mode" && i === 1n);
  return trains && isOperator(node, "BatchNormalization") && node.output.slice(1).some((output) => output !== "");
}

function stateful(message: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, { reason: "STATEFUL_MODEL", field: graphFileName, remedy });
}
