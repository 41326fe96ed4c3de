import type { Job, JobSpec } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { formatResource } from "@aimass/identity";
import { gatesOf } from "../evaluation/gates.ts";
import type { RegistryLibrary } from "../library/registry-library.ts";
import type { ScriptRules } from "../scripts/script-rules.ts";
import { checkSpec, fitSpec } from "./job-spec.ts";
import type { PostgresJobs } from "./postgres-jobs.ts";
import type { Requester } from "./requester.ts";

const highestPriority = 100;

export interface JobOrder {
  readonly spec: JobSpec | undefined;
  readonly requester: Requester;
  readonly idempotencyKey: string;
  readonly traceparent: string;
  /** The rule that wants it; "": none. */
  readonly retraining: string;
}

/** Where jobs are ordered: rights and spec are checked, the spec is fitted to its dataset, and the job is queued. */
export class JobDesk {
  readonly #jobs: PostgresJobs;
  readonly #libraryFor: (principalId: string) => RegistryLibrary;
  readonly #scripts: ScriptRules;
  readonly #longestSeconds: number;

  constructor(options: {
    jobs: PostgresJobs;
    /** The registry in a principal's name. */
    libraryFor: (principalId: string) => RegistryLibrary;
    /** What scripts may be run. */
    scripts: ScriptRules;
    /** How long a job may run, in seconds. */
    longestSeconds: number;
  }) {
    this.#jobs = options.jobs;
    this.#libraryFor = options.libraryFor;
    this.#scripts = options.scripts;
    this.#longestSeconds = options.longestSeconds;
  }

  /** Errors: those of CreateJob. */
  async order({ spec, requester, ...facts }: JobOrder): Promise<Job> {
    const checked = this.#check(spec, requester);
    const repeated = await this.#jobs.findByKey(requester.id, facts.idempotencyKey);
    if (repeated !== undefined) return repeated;
    if (checked.script !== undefined) await this.#scripts.check(checked.script);
    const fitted = await this.#fit(checked, requester);
    return this.#jobs.create({ spec: fitted.spec, createdBy: requester.id, ...facts });
  }

  /** The job that could be ordered now, and the dataset version it would train on. Nothing is queued. Errors: those of CreateJob. */
  async try(
    spec: JobSpec | undefined,
    requester: Requester,
  ): Promise<{ readonly spec: JobSpec; readonly datasetVersion: bigint }> {
    const checked = this.#check(spec, requester);
    if (checked.script !== undefined) await this.#scripts.check(checked.script);
    return await this.#fit(checked, requester);
  }

  #check(spec: JobSpec | undefined, { require }: Requester): JobSpec {
    const checked = checkSpec(spec);
    this.#checkQueueing(checked);
    const { project, dataset, model, alias, script, priority } = checked;
    require("job.create", project);
    require("dataset.read", formatResource(project, dataset));
    require("version.create", formatResource(project, model));
    if (script !== undefined) require("code.run", project);
    if (alias !== "") require("alias.move", formatResource(project, model, alias));
    if (priority > 0) require("project.manage", project);
    return checked;
  }

  #checkQueueing({ priority, timeLimitSeconds: limit }: JobSpec): void {
    if (Math.abs(priority) > highestPriority) {
      const remedy = `It must be from −${highestPriority} to ${highestPriority}.`;
      throw new AimassError("INVALID_ARGUMENT", `The priority is ${priority}.`, { field: "spec.priority", remedy });
    }
    if (!(limit >= 0 && limit <= this.#longestSeconds)) {
      const remedy = `It must be at most ${this.#longestSeconds}, the limit of this trainer; 0 is that limit.`;
      const field = "spec.time_limit_seconds";
      throw new AimassError("INVALID_ARGUMENT", `The time limit is ${limit} s.`, { field, remedy });
    }
  }

  async #fit(checked: JobSpec, requester: Requester): Promise<{ spec: JobSpec; datasetVersion: bigint }> {
    const { project, dataset, datasetVersion } = checked;
    const library = this.#libraryFor(requester.id);
    const found = await library.dataset(project, dataset, datasetVersion);
    const spec = fitSpec(checked, found);
    await assertRivals(library, spec);
    return { spec, datasetVersion: found.version };
  }
}

/** A model that has versions is compared with one of them; an alias it does not have is a slip, unless it is the one that the job would make. */
async function assertRivals(library: RegistryLibrary, spec: JobSpec): Promise<void> {
  for (const [{ betterThan }, field] of gatesOf(spec)) {
    if (betterThan === "" || betterThan === spec.alias) continue;
    const model = await library.model(spec.project, spec.model);
    if (model === undefined || model.newestVersion === 0n) return;
    if ((await library.version(spec.project, spec.model, betterThan)) !== undefined) continue;
    const aliases = model.aliases.map(({ name }) => name).join(", ") || "none yet";
    const message = `${spec.project}.${spec.model} has no alias "${betterThan}" to be better than.`;
    throw new AimassError("FAILED_PRECONDITION", message, {
      field: `${field}.better_than`,
      remedy: `Its aliases: ${aliases}.`,
    });
  }
}
