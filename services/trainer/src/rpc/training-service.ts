import type { Job, TrainingService } from "@aimass/api/trainer";
import { AimassError, type Clock } from "@aimass/core";
import { formatResource, type PolicyStore } from "@aimass/identity";
import { callerOf, requireVerb } from "@aimass/rpc";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { JobFeed } from "../jobs/job-feed.ts";
import { checkSpec, fitSpec } from "../jobs/job-spec.ts";
import type { PostgresJobs } from "../jobs/postgres-jobs.ts";
import type { RegistryLibrary } from "../library/registry-library.ts";
import { recipes } from "../recipes/catalogue.ts";
import { readPage } from "./page.ts";

export interface TrainingServiceOptions {
  readonly jobs: PostgresJobs;
  readonly feed: JobFeed;
  readonly policy: PolicyStore;
  readonly clock: Clock;
  /** The registry in a principal's name. */
  readonly libraryFor: (principalId: string) => RegistryLibrary;
}

/** aimass.trainer.v1.TrainingService. */
export function createTrainingService(options: TrainingServiceOptions): ServiceImpl<typeof TrainingService> {
  const { jobs, feed, policy, clock } = options;
  const visible = (id: string, context: HandlerContext) => visibleJob(options, id, context);
  return {
    createJob: (request, context) => createJob(options, request, context),
    async getJob({ id }, context) {
      return { job: await visible(id, context) };
    },
    async listJobs({ project, page }, context) {
      const { principal } = callerOf(context);
      const { size, before } = readPage(page);
      const wanted = project === "" ? await jobs.projects() : [project];
      const allowed = wanted.filter((name) => policy.policy.allows(principal, "job.view", name, clock.now()));
      const found = await jobs.list(allowed, { size: size + 1, before });
      const shown = found.slice(0, size);
      return { jobs: shown, page: { nextToken: found.length > size ? (shown.at(-1)?.id ?? "") : "" } };
    },
    async cancelJob({ id }, context) {
      const { spec } = await visible(id, context);
      requireVerb(context, policy, "job.create", spec?.project ?? "", clock);
      const job = await jobs.cancel(id);
      if (job === undefined) throw notFound(id);
      return { job };
    },
    async *watchJob({ id, afterSequence }, context) {
      await visible(id, context);
      for await (const event of feed.watch(id, afterSequence, context.signal)) {
        // A right that is taken away ends the streams it allowed.
        requireView(options, id, context, event.event.case === "job" ? event.event.value : undefined);
        yield event;
      }
    },
    listRecipes: () => ({
      recipes: recipes.map(({ name, description, tasks, parameters }) => ({
        name,
        description,
        tasks: [...tasks],
        parameters: parameters.map((p) => ("choices" in p ? { ...p, choices: [...p.choices] } : p)),
      })),
    }),
  };
}

async function createJob(
  { jobs, policy, clock, libraryFor }: TrainingServiceOptions,
  request: { spec?: Parameters<typeof checkSpec>[0]; idempotencyKey: string },
  context: HandlerContext,
): Promise<{ job: Job }> {
  const { traceparent } = callerOf(context);
  const checked = checkSpec(request.spec);
  const principal = requireVerb(context, policy, "job.create", checked.project, clock);
  requireVerb(context, policy, "dataset.read", checked.project, clock);
  requireVerb(context, policy, "version.create", formatResource(checked.project, checked.model), clock);
  const repeated = await jobs.findByKey(principal.id, request.idempotencyKey);
  if (repeated !== undefined) return { job: repeated };
  const library = libraryFor(principal.id);
  const dataset = await library.dataset(checked.project, checked.dataset, checked.datasetVersion);
  const spec = fitSpec(checked, dataset);
  const { idempotencyKey } = request;
  return { job: await jobs.create({ spec, createdBy: principal.id, idempotencyKey, traceparent }) };
}

async function visibleJob(options: TrainingServiceOptions, id: string, context: HandlerContext): Promise<Job> {
  const job = await options.jobs.find(id);
  if (job === undefined) throw notFound(id);
  requireView(options, id, context, job);
  return job;
}

function requireView(
  { policy, clock }: TrainingServiceOptions,
  id: string,
  context: HandlerContext,
  job: Job | undefined,
): void {
  if (job === undefined) return;
  const hidden = { hidden: true, notFound: notFound(id).message, viewVerb: "job.view" } as const;
  requireVerb(context, policy, "job.view", job.spec?.project ?? "", clock, hidden);
}

function notFound(id: string): AimassError {
  return new AimassError("NOT_FOUND", `There is no job "${id.slice(0, 100)}".`, { field: "id" });
}
