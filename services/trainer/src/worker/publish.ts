import { type Version, VersionState } from "@aimass/api/registry";
import type { JobSpec } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import type { NewVersion } from "../library/registry-library.ts";
import type { GateVerdict } from "./gate-keeper.ts";
import type { JobWork, MadeModel } from "./job-work.ts";

/** What the job leaves in the registry. */
export interface Published {
  readonly version: Version;
  readonly aliasMoved: boolean;
  /** How it ended, in a sentence or two. */
  readonly reason: string;
}

/** What a version that was just made, or was made by an earlier attempt of the same job, can be. */
const standing: Partial<Record<VersionState, string>> = {
  [VersionState.READY]: "is ready",
  [VersionState.VALIDATED]: "needs a review before it can serve",
  [VersionState.IN_REVIEW]: "is in review",
};

/** Said of the graphs of recipes, for those that the registry's analysis cannot follow: text is parted and put together again in loops. */
const recipesKeepRowsApart =
  "A recipe's graph works on each row alone: its tests compare what it gives for many rows with what training computes for each.";

/** What is known of a model once it was judged. */
interface Judged extends Pick<NewVersion, "metrics" | "columns"> {
  readonly verdict: GateVerdict;
}

/** Makes the version, and moves the alias when every gate passed. Throws FAILED_PRECONDITION (GATE) when one did not and there is no alias to keep. */
export async function publish(work: JobWork, made: MadeModel, judged: Judged): Promise<Published> {
  const { verdict } = judged;
  const { spec, library, report, signal } = work;
  if (!verdict.passed && spec.alias === "") throw heldBack(verdict);
  const bytes = [...made.files.values()].reduce((sum, file) => sum + file.length, 0);
  report.log(`Registering ${bytes} bytes as a version of ${spec.project}.${spec.model}.`);
  const version = await library.createVersion(newVersion(work, made, judged), signal);
  const name = `Version ${version.version} of ${version.project}.${version.model}`;
  const isReady = version.state === VersionState.READY;
  const reason = `${name} ${standing[version.state] ?? "is not ready"}.`;
  if (spec.alias === "" || version.state === VersionState.REFUSED) return { version, aliasMoved: false, reason };
  const stays = (why: string): Published => ({
    version,
    aliasMoved: false,
    reason: `${reason} The alias ${spec.alias} stays where it is: ${why}`,
  });
  if (!verdict.passed) return stays(`a gate held it back, ${verdict.reason}.`);
  if (!isReady) return stays("the version must be approved first.");
  const refused = await moveAlias(work, version);
  if (refused !== undefined) return stays(refused);
  return { version, aliasMoved: true, reason: `${reason} The alias ${spec.alias} points to it.` };
}

/** Gives back why the alias could not be moved. What passes is thrown, so that the job is tried again. */
async function moveAlias({ spec, jobId, library, signal }: JobWork, { version }: Version): Promise<string | undefined> {
  const { project, model, alias } = spec;
  const expectedVersion = await library.aliasVersion(project, model, alias, signal);
  // An earlier attempt may have moved it.
  if (expectedVersion === version) return undefined;
  if (expectedVersion > version) return `it points to version ${expectedVersion} by now, which is newer.`;
  const reason = `Trained by job ${jobId}; every gate passed.`;
  try {
    await library.moveAlias({ project, model, alias, version, expectedVersion, reason }, signal);
    return undefined;
  } catch (error) {
    const settled = ["PERMISSION_DENIED", "FAILED_PRECONDITION", "INVALID_ARGUMENT", "NOT_FOUND"];
    if (!(error instanceof AimassError)) throw error;
    if (error.reason === "ALIAS_MOVED") return "somebody else moved it meanwhile.";
    if (settled.includes(error.code)) return error.message;
    throw error;
  }
}

function heldBack({ reason }: GateVerdict): AimassError {
  return new AimassError("FAILED_PRECONDITION", `The gate held the model back: ${reason}.`, {
    reason: "GATE",
    field: "spec.gate",
  });
}

function newVersion(
  { jobId, spec, dataset }: JobWork,
  made: MadeModel,
  { verdict, metrics, columns }: Judged,
): NewVersion {
  const { target, task } = spec;
  const { recipe, parameters, choices } = made.chosen ?? { ...spec, recipe: spec.recipe || "script" };
  return {
    project: spec.project,
    model: spec.model,
    files: made.files,
    scores: made.classes.length > 0 ? { output: made.scores ?? "probabilities", classes: made.classes } : undefined,
    description: describe({ ...spec, recipe: made.chosen?.recipe ?? spec.recipe }, made.inputs),
    labels: { recipe, target, ...(task !== "" && { task }), ...(!verdict.passed && { gate: "held-back" }) },
    metrics,
    columns,
    lineage: {
      jobId,
      recipe,
      dataset: spec.dataset,
      datasetVersion: spec.datasetVersion,
      datasetSha256: dataset.sha256,
      split: made.split,
      parametersJson: JSON.stringify({ ...parameters, ...choices }),
      featureBaselineJson: made.baselineJson,
      featurePlanJson: made.featurePlanJson ?? "",
      howJson: made.howJson ?? "",
      code: [...(made.code ?? [])],
    },
    // A script's graph is anybody's; that of a recipe is ours.
    rowsApart: made.featurePlanJson === undefined ? undefined : recipesKeepRowsApart,
    idempotencyKey: jobId,
  };
}

const longestDescription = 2000;

function describe({ target, recipe, dataset, datasetVersion }: JobSpec, inputs: string): string {
  const by = recipe === "" ? "a script" : `the recipe ${recipe}`;
  const text = `Predicts ${target} by ${by}, trained on ${dataset} version ${datasetVersion}. ${inputs}`;
  return text.slice(0, longestDescription);
}
