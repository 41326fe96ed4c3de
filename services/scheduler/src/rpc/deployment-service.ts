import { type Deployment, DeploymentSchema, type DeploymentService } from "@aimass/api/scheduler";
import { AimassError, type Clock } from "@aimass/core";
import type { PolicyStore, Principal } from "@aimass/identity";
import { callerOf, requireVerb } from "@aimass/rpc";
import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Changes } from "../changes.ts";
import type { SchedulerTimings } from "../config.ts";
import type { SchedulerStore } from "../database.ts";
import { pageToken, readPage } from "../deployments/page.ts";
import { encodePlan, tryDeployment } from "../deployments/planner.ts";
import type { Deployments } from "../deployments/postgres-deployments.ts";
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
  const require = (context: HandlerContext, verb: string, key: string): Principal =>
    requireVerb(context, o.policy, verb, key, o.clock, { hidden: true, notFound: noModel(key) });
  const findVisible = async (context: HandlerContext, key: string): Promise<Deployment> => {
    require(context, "deployment.view", key);
    return found(await o.deployments.find(key), key);
  };
  return {
    async putDeployment(request, context) {
      const spec = normaliseSpec(request.spec);
      const key = `${spec.project}.${spec.model}`;
      const principal = require(context, "deployment.write", key);
      const models = await o.readLibrary(context.signal);
      if (!models.has(key)) throw new AimassError("NOT_FOUND", noModel(key));
      const tried = await tryDeployment(o.store, spec, { models, ...o.timings });
      const plan = encodePlan(tried, key);
      if (request.dryRun) return { plan };
      refuseShortages(key, tried);
      await o.deployments.put(key, spec, { etag: request.etag, actor: principal.id });
      const stored = await o.deployments.find(key);
      const status = tried.outcome.statuses.get(key);
      // Until the leader has looked at it, the status is what the plan foresees.
      const deployment = stored && create(DeploymentSchema, { ...(status && { status }), ...stored });
      return deployment === undefined ? { plan } : { plan, deployment };
    },
    async getDeployment(request, context) {
      return { deployment: await findVisible(context, readModelName(request).key) };
    },
    async listDeployments(request, context) {
      const { size, after } = readPage(request.page);
      const { principal } = callerOf(context);
      const mayView = ({ key }: { key: string }) =>
        o.policy.policy.allows(principal, "deployment.view", key, o.clock.now());
      const visible = (await o.deployments.list(request.project, after)).filter(mayView);
      const page = visible.slice(0, size);
      const nextToken = visible.length > size ? pageToken(page.at(-1)?.key ?? "") : "";
      return { deployments: page.map(({ deployment }) => deployment), page: { nextToken } };
    },
    async deleteDeployment(request, context) {
      const { key } = readModelName(request);
      const principal = require(context, "deployment.write", key);
      await o.deployments.remove(key, principal.id);
      return {};
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

function found(deployment: Deployment | undefined, key: string): Deployment {
  if (deployment !== undefined) return deployment;
  throw new AimassError("NOT_FOUND", `${key} is not deployed.`, { remedy: `Deploy it: aimass deploy ${key}` });
}

function refuseShortages(key: string, plan: DeploymentPlan): void {
  if (plan.shortages.length === 0) return;
  throw new AimassError("FAILED_PRECONDITION", `${key} does not fit: ${plan.shortages.join("; ")}.`, {
    reason: "DOES_NOT_FIT",
    field: "spec",
    remedy: "Ask for fewer replicas or another device, end other deployments, or add machines.",
  });
}
