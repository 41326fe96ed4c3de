import { type JobSpec, JobSpecSchema, type Retraining } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { defaultProject, isModelName, isProjectName } from "@aimass/identity";
import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";

const shortestMs = 60_000;
const longestMs = 10 * 365 * 86_400_000;

/** A rule as its author wants it. */
export interface RetrainingRule {
  readonly project: string;
  readonly name: string;
  readonly spec: JobSpec;
  readonly onNewData: boolean;
  /** 0: not by time. */
  readonly everyMs: number;
  readonly paused: boolean;
}

/** Reads a rule; its spec is checked where jobs are ordered. Errors: INVALID_ARGUMENT with its field. */
export function readRule(wanted: Retraining | undefined): RetrainingRule {
  if (wanted?.spec === undefined) throw invalid("retraining.spec", "The rule has no spec.", "Say what to train.");
  const { name, spec, onNewData, paused } = wanted;
  const project = wanted.project || spec.project || defaultProject;
  if (!isProjectName(project)) throw invalid("retraining.project", `"${project}" cannot be the name of a project.`);
  if (!isModelName(name)) throw invalid("retraining.name", `"${name.slice(0, 200)}" cannot be the name of a rule.`);
  if (spec.project !== "" && spec.project !== project) {
    const remedy = "Name the rule's project or none.";
    throw invalid("retraining.spec.project", `The spec is of the project "${spec.project}".`, remedy);
  }
  if (spec.datasetVersion !== 0n) {
    const message = `The spec names dataset version ${spec.datasetVersion}.`;
    throw invalid("retraining.spec.dataset_version", message, "Leave it 0: a rule trains on the newest each time.");
  }
  const everyMs = wanted.every === undefined ? 0 : readEvery(durationMs(wanted.every));
  if (everyMs === 0 && !onNewData) {
    throw invalid("retraining.every", "The rule never begins a job.", 'Set "every", "on_new_data" or both.');
  }
  return { project, name, spec: create(JobSpecSchema, { ...spec, project }), onNewData, everyMs, paused };
}

function readEvery(ms: number): number {
  if (ms >= shortestMs && ms <= longestMs) return Math.round(ms);
  throw invalid("retraining.every", `The rule wants to train every ${ms / 1000} s.`, "It must be 60 s to ten years.");
}

function invalid(field: string, message: string, remedy?: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, { field, ...(remedy !== undefined && { remedy }) });
}
