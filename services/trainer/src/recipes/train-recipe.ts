import { ColumnType } from "@aimass/api/registry";
import type { TrainingData } from "../data/training-data.ts";
import { crossValidate } from "../evaluation/cross-validation.ts";
import type { ReportInit } from "../evaluation/evaluate.ts";
import type { JobWork } from "../worker/job-work.ts";
import type { WayToTrain } from "../worker/way-to-train.ts";
import { type Candidate, estimatorOf } from "./candidate.ts";
import { getRecipe } from "./catalogue.ts";
import { planFeatures } from "./feature-plan.ts";
import { readHandPlan } from "./hand-plan.ts";
import { fitRequest, type KnownBefore, makeModel } from "./make-model.ts";
import { phase } from "./phase.ts";

/** Of the progress, when there are folds. */
const foldsShare = 0.5;

/** Trains by the recipe and the parameters that the spec names. */
export const trainRecipe: WayToTrain = async (work, data) => {
  const candidate = candidateOf(work, data);
  const { spec, report } = work;
  const leftOut = leftOutWarning(work);
  if (leftOut !== undefined) report.warn(leftOut);
  if (spec.folds === 0) return makeModel(work, data, candidate);
  const known = await scoreFolds(work, data, candidate);
  return makeModel({ ...work, report: phase(report, foldsShare, 1) }, data, candidate, known);
};

/** Of a recipe that took number columns alone because none were named. */
function leftOutWarning({ spec, dataset }: Pick<JobWork, "spec" | "dataset">): string | undefined {
  if (!getRecipe(spec.recipe).numbersOnly || !spec.usualFeatures || spec.featurePlan?.only) return undefined;
  const { split, target, features } = spec;
  const known = [target, split?.groupBy, split?.timeBy, split?.stratifyBy, ...features];
  const rest = dataset.columns.filter(({ name, type }) => type !== ColumnType.NUMBER && !known.includes(name));
  if (rest.length === 0) return undefined;
  const names = rest.map(({ name }) => `"${name}"`).join(", ");
  return `Left out: ${names}. The recipe "${spec.recipe}" takes columns of numbers unless others are named; "ridge" takes all.`;
}

/** What the spec describes. */
export function candidateOf({ spec }: Pick<JobWork, "spec">, data: TrainingData): Candidate {
  const recipe = getRecipe(spec.recipe);
  const { nonNegative } = recipe;
  const { featurePlan } = spec;
  const hand = featurePlan && {
    features: readHandPlan(featurePlan, { columns: data.profiles, nonNegative }),
    only: featurePlan.only,
  };
  const unknown = (spec.data?.unknownCategories || "other") as "other" | "none" | "frequent";
  const options = { nonNegative, unknown, named: !spec.usualFeatures, ...(hand && { hand }) };
  const plan = planFeatures(data.profiles, estimatorOf(recipe, data.task), options);
  return { recipe, given: { parameters: spec.parameters, choices: spec.choices }, plan };
}

async function scoreFolds(work: JobWork, data: TrainingData, candidate: Candidate): Promise<KnownBefore> {
  const { spec, report } = work;
  const own = phase(report, 0, foldsShare);
  const reportSoFar = ({
    folds,
    metrics,
  }: {
    folds: ReportInit["folds"];
    metrics: Readonly<Record<string, number>>;
  }): ReportInit => ({
    task: data.task,
    ...(folds !== undefined && { folds: [...folds] }),
    metrics: { ...metrics },
  });
  const request = { ...fitRequest(work, data), report: own };
  const found = await crossValidate(data, candidate, {
    count: spec.folds,
    request,
    onFold: (so) => report.evaluated(reportSoFar(so)),
  });
  return { metrics: found.metrics, report: reportSoFar(found) };
}
