import { type Job, JobSchema, type TrainingService } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { formatResource } from "@aimass/identity";
import { callerOf, readPage, requireVerb } from "@aimass/rpc";
import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { requesterOf } from "../jobs/requester.ts";
import { recipes } from "../recipes/catalogue.ts";
import { type Allows, maySeeJob } from "./job-rights.ts";
import type { TrainingServiceOptions } from "./training-service-options.ts";

type Calls = Pick<
  ServiceImpl<typeof TrainingService>,
  "createJob" | "getJob" | "listJobs" | "cancelJob" | "deleteJob" | "watchJob" | "getJobReport" | "listRecipes"
>;

/** The calls about jobs. */
export function jobCalls(options: TrainingServiceOptions): Calls {
  const { desk, jobs, reports, feed, policy, clock } = options;
  return {
    async createJob({ spec, idempotencyKey, validateOnly }, context) {
      const { traceparent } = callerOf(context);
      const requester = requesterOf(policy, clock, context);
      if (validateOnly) return { job: create(JobSchema, { spec: (await desk.try(spec, requester)).spec }) };
      return { job: await desk.order({ spec, requester, idempotencyKey, traceparent, retraining: "" }) };
    },
    async getJob({ id }, context) {
      return { job: await visibleJob(options, id, context) };
    },
    async listJobs(request, context) {
      const { project } = request;
      const { principal } = callerOf(context);
      const { size, after, tokenOf } = readPage(context, request);
      const before = after?.[0] ?? "";
      const wanted = project === "" ? await jobs.projects() : [project];
      const allows: Allows = (verb, resource) => policy.policy.allows(principal, verb, resource, clock.now());
      const allowed = wanted.filter((name) => allows("job.view", name));
      const found = await visibleJobs(options, allowed, { size: size + 1, before }, allows);
      const shown = found.slice(0, size);
      return { jobs: shown, page: { nextToken: tokenOf(found.length > size ? [shown.at(-1)?.id ?? ""] : undefined) } };
    },
    async deleteJob({ id, validateOnly }, context) {
      await requireChange(options, id, context);
      const { principal, traceparent } = callerOf(context);
      const job = await jobs.delete(id, { actor: principal.id, traceparent }, validateOnly);
      if (job === undefined) throw notFound(id);
      return { job };
    },
    async cancelJob({ id }, context) {
      await requireChange(options, id, context);
      const job = await jobs.cancel(id);
      if (job === undefined) throw notFound(id);
      return { job };
    },
    async *watchJob({ id, afterSequence }, context) {
      const job = await visibleJob(options, id, context);
      for await (const event of feed.watch(id, afterSequence, context.signal)) {
        // A right that is taken away ends the streams it allowed.
        requireView(options, job, context);
        yield event;
      }
    },
    async getJobReport({ id }, context) {
      await visibleJob(options, id, context);
      const report = await reports.find(id);
      if (report !== undefined) return { report };
      const message = `Nothing is known yet of the model of job "${id}".`;
      throw new AimassError("NOT_FOUND", message, { field: "id", remedy: "Ask again once it has been evaluated." });
    },
    listRecipes(request, context) {
      const { size, after, tokenOf } = readPage(context, request);
      const rest = recipes.slice(recipes.findIndex(({ name }) => name === after?.[0]) + 1);
      const shown = rest.slice(0, size);
      const last = rest.length > size ? shown.at(-1) : undefined;
      return { recipes: shown.map(recipeMessage), page: { nextToken: tokenOf(last && [last.name]) } };
    },
  };
}

function recipeMessage({ name, description, tasks, parameters }: (typeof recipes)[number]) {
  return {
    name,
    description,
    tasks: [...tasks],
    parameters: parameters.map((p) => ("choices" in p ? { ...p, choices: [...p.choices] } : p)),
  };
}

/** The newest jobs that may be seen, as many as are asked for; those that may not are passed over. */
async function visibleJobs(
  { jobs }: TrainingServiceOptions,
  projects: readonly string[],
  page: { size: number; before: string },
  allows: Allows,
): Promise<Job[]> {
  const visible: Job[] = [];
  let { before } = page;
  while (visible.length < page.size) {
    const found = await jobs.list(projects, { size: page.size, before });
    visible.push(...found.filter(({ spec }) => maySeeJob(spec, allows)));
    if (found.length < page.size) break;
    before = found.at(-1)?.id ?? "";
  }
  return visible.slice(0, page.size);
}

async function visibleJob(options: TrainingServiceOptions, id: string, context: HandlerContext): Promise<Job> {
  const job = await options.jobs.find(id);
  if (job === undefined) throw notFound(id);
  requireView(options, job, context);
  return job;
}

/** Lets in whoever may order such a job. Errors: NOT_FOUND, PERMISSION_DENIED. */
async function requireChange(options: TrainingServiceOptions, id: string, context: HandlerContext): Promise<void> {
  const { policy, clock } = options;
  const { spec } = await visibleJob(options, id, context);
  const { project = "", model = "" } = spec ?? {};
  requireVerb(context, policy, "job.create", project, clock);
  requireVerb(context, policy, "version.create", formatResource(project, model), clock);
}

function requireView({ policy, clock }: TrainingServiceOptions, { id, spec }: Job, context: HandlerContext): void {
  const { principal } = callerOf(context);
  if (!maySeeJob(spec, (verb, resource) => policy.policy.allows(principal, verb, resource, clock.now())))
    throw notFound(id);
}

function notFound(id: string): AimassError {
  return new AimassError("NOT_FOUND", `There is no job "${id.slice(0, 100)}".`, { field: "id" });
}
