import { AimassError } from "@aimass/core";
import { quoted, type RequestedOutput, type Tensor } from "@aimass/oip";
import type { Ranking } from "../codec/ranking.ts";
import type { ServingPlan, TensorPlan } from "./serving-plan.ts";
import { describeTensors } from "./validate-inputs.ts";

/** Throws INVALID_ARGUMENT when a request asks for an output the model does not have, or for classes of one that has no numbers. */
export function checkRequestedOutputs(plan: ServingPlan, requested: readonly RequestedOutput[]): void {
  requested.forEach((output, i) => {
    const spec = plan.outputs.find((o) => o.name === output.name);
    if (spec === undefined) {
      throw new AimassError("INVALID_ARGUMENT", `The model has no output ${quoted(output.name)}.`, {
        reason: "UNKNOWN_OUTPUT",
        field: `outputs[${i}].name`,
        remedy: `It gives ${describeTensors(plan.outputs)}.`,
      });
    }
    if (output.classification !== undefined && (spec.datatype === "BYTES" || spec.datatype === "BF16")) {
      throw new AimassError(
        "INVALID_ARGUMENT",
        `The output "${output.name}" is ${spec.datatype}; only numbers can be ranked as classes.`,
        {
          reason: "NOT_CLASSIFIABLE",
          field: `outputs[${i}].parameters`,
          remedy: "Leave the classification parameter out.",
        },
      );
    }
  });
}

/** The outputs a request asked for, in its order; all of them when it named none. `rank` makes classes of scores. */
export async function selectOutputs(
  plan: ServingPlan,
  outputs: readonly Tensor[],
  requested: readonly RequestedOutput[],
  rank: (rankings: readonly Ranking[]) => Promise<readonly Tensor[]>,
): Promise<readonly Tensor[]> {
  if (requested.length === 0) return outputs;
  const rankings = requested.flatMap(({ name, classification }): Ranking[] => {
    if (classification === undefined) return [];
    const { labels } = plan.outputs.find((o) => o.name === name) as TensorPlan;
    return [{ scores: outputOf(outputs, name), best: classification, labels, batched: plan.batchable }];
  });
  const ranked = rankings.length === 0 ? [] : [...(await rank(rankings))];
  return requested.map(({ name, classification }) =>
    classification === undefined ? outputOf(outputs, name) : (ranked.shift() as Tensor),
  );
}

function outputOf(outputs: readonly Tensor[], name: string): Tensor {
  return outputs.find((output) => output.name === name) as Tensor;
}
