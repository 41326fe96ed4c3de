import type { ServableModel } from "@aimass/api/registry";
import {
  type Deployment,
  DeploymentSchema,
  type DeploymentService,
  type DeploymentSpec,
  DeploymentSpecSchema,
  type DeploymentStatus,
} from "@aimass/api/scheduler";
import { AimassError, type Clock } from "@aimass/core";
import type { PolicyStore, Principal } from "@aimass/identity";
import { callerOf, readPage, requireVerb } from "@aimass/rpc";
import { create, equals } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Changes } from "../changes.ts";
import type { SchedulerTimings } from "../config.ts";
import type { SchedulerStore } from "../database.ts";
import { encodePlan, tryDeployment } from "../deployments/planner.ts";
import type { Deployments } from "../deployments/postgres-deployments.ts";
import { listHappenings } from "../deployments/postgres-history.ts";
import { normaliseSpec } from "../deployments/spec.ts";
import { watchDeployment } from "../deployments/watch.ts";
import type { ReadLibrary } from "../library/registry-library.ts";
import { readModelName } from "../names.ts";
import type { DeploymentPlan } from "../reconcile/plan.ts";

export interface DeploymentServiceOptions {
  readonly store: SchedulerStore;
  readonly deployments: Deployments;
  readonly changes: Changes;
  readonly readLibrary: ReadLibrary;
  readonly policy: PolicyStore;
  readonly clock: Clock;
  readonly timings: SchedulerTimings;
}

/** `aimass.scheduler.v1.DeploymentService`. */
export function createDeploymentService(o: DeploymentServiceOptions): ServiceImpl<typeof DeploymentService> {
  const require = (context: HandlerContext, verb: string, key: string, notFound = notDeployed(key)): Principal =>
    requireVerb(context, o.policy, verb, key, o.clock, { hidden: true, notFound });
  const findVisible = async (context: HandlerContext, key: string): Promise<Deployment> => {
    const deployment = await o.deployments.find(key);
    require(context, "deployment.view", key);
    return found(deployment, key);
  };
  return {
    async putDeployment(request, context) {
      const spec = normaliseSpec(request.spec);
      const key = `${spec.project}.${spec.model}`;
      const refusal = refusalOf(() => require(context, "deployment.write", key, noModel(key)));
      // Whoever may see a model but not deploy it is told so of one that is there alone: a hidden one and a missing one read the same.
      if (refusal !== undefined && refusal.code !== "PERMISSION_DENIED") throw refusal;
      const models = await o.readLibrary(context.signal);
      const model = models.get(key);
      if (model === undefined) throw new AimassError("NOT_FOUND", noModel(key));
      if (refusal !== undefined) throw refusal;
      const { principal } = callerOf(context);
      const before = (await o.deployments.find(key))?.spec;
      assertNamed(spec, model, before);
      const tried = await tryDeployment(o.store, spec, { models, ...o.timings });
      const plan = encodePlan(tried, key);
      const { etag, createOnly } = request;
      if (request.dryRun) {
        await o.deployments.try(key, spec, { etag, createOnly });
        return { plan };
      }
      if (before === undefined || !differInPauseAlone(before, spec)) refuseShortages(key, tried);
      await o.deployments.put(key, spec, { etag, createOnly, actor: principal.id });
      const put = await o.deployments.find(key);
      if (put === undefined) return { plan };
      const status = seenStatus(put.status, tried.outcome.statuses.get(key));
      return { plan, deployment: create(DeploymentSchema, { ...put, ...(status && { status }) }) };
    },
    async getDeployment(request, context) {
      return { deployment: await findVisible(context, readModelName(request).key) };
    },
    async listDeployments(request, context) {
      const { size, after, tokenOf } = readPage(context, request);
      const { principal } = callerOf(context);
      const mayView = ({ key }: { key: string }) =>
        o.policy.policy.allows(principal, "deployment.view", key, o.clock.now());
      const visible = (await o.deployments.list(request.project, after?.[0] ?? "")).filter(mayView);
      const page = visible.slice(0, size);
      const nextToken = tokenOf(visible.length > size ? [page.at(-1)?.key ?? ""] : undefined);
      return { deployments: page.map(({ deployment }) => deployment), page: { nextToken } };
    },
    async deleteDeployment(request, context) {
      const { key } = readModelName(request);
      const { principal } = callerOf(context);
      const sees = o.policy.policy.allows(principal, "model.view", key, o.clock.now());
      // What may not be seen is as if it were not deployed: ending that changes nothing, for those who may end deployments here.
      if (!sees && o.policy.policy.allows(principal, "deployment.write", projectOf(key), o.clock.now())) return {};
      require(context, "deployment.write", key);
      const deployment = await o.deployments.find(key);
      if (!request.validateOnly) await o.deployments.remove(key, principal.id);
      return deployment === undefined ? {} : { deployment };
    },
    async listDeploymentHistory(request, context) {
      const { key } = readModelName(request);
      require(context, "deployment.view", key);
      const { size, after, tokenOf } = readPage(context, request);
      const found = await listHappenings(o.store, key, { before: after?.[0], size });
      if (found.length === 0 && after === undefined) throw new AimassError("NOT_FOUND", notDeployed(key));
      const page = found.slice(0, size);
      const nextToken = tokenOf(found.length > size ? [page.at(-1)?.id ?? ""] : undefined);
      return { entries: page.map(({ entry }) => entry), page: { nextToken } };
    },
    async *watchDeployment(request, context) {
      const { key } = readModelName(request);
      await findVisible(context, key);
      const find = () => o.deployments.find(key);
      const { changes, clock, timings } = o;
      for await (const deployment of watchDeployment({
        find,
        changes,
        clock,
        tickMs: timings.tickMs,
        signal: context.signal,
      })) {
        require(context, "deployment.view", key);
        yield { deployment: found(deployment, key) };
      }
    },
  };
}

/** The same for a model that does not exist, one the caller may not know of, and one without anything to serve. */
function noModel(key: string): string {
  return `There is no model ${key} with a version that is READY.`;
}

/** The same for what is not deployed and for what the caller may not know of. */
function notDeployed(key: string): string {
  return `${key} is not deployed.`;
}

function found(deployment: Deployment | undefined, key: string): Deployment {
  if (deployment !== undefined) return deployment;
  throw new AimassError("NOT_FOUND", notDeployed(key));
}

function projectOf(key: string): string {
  return key.slice(0, key.indexOf("."));
}

/** What a check refuses a call with; undefined when it lets it in. */
function refusalOf(check: () => unknown): AimassError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return AimassError.from(error);
  }
}

/** Errors: FAILED_PRECONDITION for an alias or a version that is not there to be served; what the deployment named before may have gone since. */
function assertNamed(spec: DeploymentSpec, model: ServableModel, before: DeploymentSpec | undefined): void {
  const name = `${spec.project}.${spec.model}`;
  const ready = new Set([...model.versions.map(({ version }) => version), ...(before?.versions ?? [])]);
  const version = spec.versions.find((wanted) => !ready.has(wanted));
  if (version !== undefined) {
    throw new AimassError("FAILED_PRECONDITION", `${name} has no version ${version} that is READY.`, {
      reason: "NOTHING_TO_SERVE",
      field: "spec.versions",
      remedy: `READY are: ${model.versions.map((each) => each.version).join(", ") || "none"}.`,
    });
  }
  const aliases = new Set([...model.aliases.map((each) => each.name), ...(before?.aliases ?? [])]);
  const alias = spec.aliases.find((wanted) => !aliases.has(wanted));
  // Versions named by number are served whatever becomes of the alias that is meant when none is named.
  if (alias === undefined || (alias === "default" && spec.aliases.length === 1 && spec.versions.length > 0)) return;
  throw new AimassError("FAILED_PRECONDITION", `${name} has no alias "${alias}" to serve.`, {
    reason: "NOTHING_TO_SERVE",
    field: "spec.aliases",
    remedy:
      `Its aliases: ${model.aliases.map((each) => each.name).join(", ") || "none yet"}. ` +
      `Point it at a version with \`aimass models alias ${spec.project === "default" ? spec.model : name} ${alias} VERSION\`, or name a version.`,
  });
}

/** The leader's status, or what the plan foresees until the leader has looked at the deployment and has heard where its aliases point. */
function seenStatus(
  leaders: DeploymentStatus | undefined,
  foreseen: DeploymentStatus | undefined,
): DeploymentStatus | undefined {
  if (leaders === undefined || foreseen === undefined) return leaders ?? foreseen;
  const points = new Map(leaders.aliases.map(({ alias, wantedVersion }) => [alias, wantedVersion]));
  const isHeard = foreseen.aliases.every(({ alias, wantedVersion }) => points.get(alias) === wantedVersion);
  return isHeard && points.size === foreseen.aliases.length ? leaders : foreseen;
}

/** Pausing and going on take no more room than there was given. */
function differInPauseAlone(before: DeploymentSpec, after: DeploymentSpec): boolean {
  return before.paused !== after.paused && equals(DeploymentSpecSchema, { ...before, paused: after.paused }, after);
}

function refuseShortages(key: string, plan: DeploymentPlan): void {
  if (plan.shortages.length === 0) return;
  throw new AimassError("FAILED_PRECONDITION", `${key} does not fit: ${plan.shortages.join("; ")}.`, {
    reason: "DOES_NOT_FIT",
    field: "spec",
    remedy: "Ask for fewer replicas or another device, end other deployments, or add machines.",
  });
}
