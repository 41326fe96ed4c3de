import type { ChoiceSpec } from "../estimator.ts";

/** How much classes count. */
export const classWeightsSpec: ChoiceSpec = {
  kind: "choice",
  name: "classWeights",
  default: "none",
  choices: ["none", "balanced"],
  meaning: "Whether rows of rare classes count more, so that every class counts the same in sum.",
};
