import { type Job, JobState, type Retraining, TrainingService } from "@aimass/api/trainer";
import { allPages } from "../client/all-pages.ts";
import type { Connection } from "../client/connection.ts";
import { modelName } from "../output/format.ts";

/** Versions of a dataset that are to go; `all`: none is left then. */
export interface GoingVersions {
  readonly project: string;
  readonly dataset: string;
  readonly versions: readonly bigint[];
  readonly all: boolean;
}

/** What would fail for want of a dataset, in words: the registry knows no jobs, so it is asked where they are known. Only what the caller may view. */
export async function datasetUses(connection: Connection, going: GoingVersions): Promise<string[]> {
  const { project } = going;
  const client = connection.client(TrainingService);
  const jobs = await allPages(
    (page) => client.listJobs({ project, page }),
    (answer) => answer.jobs,
  );
  const rules = await allPages(
    (page) => client.listRetrainings({ project, page }),
    (answer) => answer.retrainings,
  );
  return usesAmong(going, jobs, rules);
}

/** The jobs that did not end and train on one of the versions, and the rules that would find no version. */
export function usesAmong(
  { project, dataset, versions, all }: GoingVersions,
  jobs: readonly Pick<Job, "id" | "state" | "spec">[],
  rules: readonly Pick<Retraining, "project" | "name" | "spec">[],
): string[] {
  const isMeant = (spec: Job["spec"]) => spec?.project === project && spec.dataset === dataset;
  const needing = jobs.filter(
    ({ state, spec }) => goingOn.has(state) && isMeant(spec) && versions.includes(spec?.datasetVersion ?? 0n),
  );
  const idle = all ? rules.filter(({ spec }) => isMeant(spec)) : [];
  return [
    ...needing.map(({ id, state }) => `the job ${id}, which is ${JobState[state].toLowerCase()}`),
    ...idle.map((rule) => `the rule ${modelName(rule.project, rule.name)}`),
  ];
}

const goingOn: ReadonlySet<JobState> = new Set([JobState.QUEUED, JobState.LEASED, JobState.RUNNING]);
