import type { TrainingService } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { defaultProject, isProjectName } from "@aimass/identity";
import { callerOf, requireVerb } from "@aimass/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import type { TrainingServiceOptions } from "./training-service-options.ts";

type Calls = Pick<ServiceImpl<typeof TrainingService>, "getQuota" | "setQuota">;

/** The calls about what projects may use. */
export function quotaCalls({ quotas, policy, clock }: TrainingServiceOptions): Calls {
  return {
    async getQuota(request, context) {
      const project = readProject(request.project);
      requireVerb(context, policy, "job.view", project, clock);
      const [quota, usage] = await Promise.all([quotas.find(project), quotas.usage(project)]);
      return { quota: { project, ...quota }, ...usage };
    },
    async setQuota({ quota }, context) {
      if (quota === undefined) throw new AimassError("INVALID_ARGUMENT", "The quota is missing.", { field: "quota" });
      const project = readProject(quota.project);
      const { maxRunning, maxQueued } = quota;
      assertBound("quota.max_running", maxRunning);
      assertBound("quota.max_queued", maxQueued);
      const { id: actor } = requireVerb(context, policy, "project.manage", project, clock);
      await quotas.set(project, { maxRunning, maxQueued }, { actor, traceparent: callerOf(context).traceparent });
      return { quota: { project, maxRunning, maxQueued } };
    },
  };
}

function readProject(text: string): string {
  const project = text || defaultProject;
  if (isProjectName(project)) return project;
  const message = `"${text.slice(0, 200)}" cannot be the name of a project.`;
  throw new AimassError("INVALID_ARGUMENT", message, { field: "project" });
}

function assertBound(field: string, bound: number): void {
  if (bound >= 0) return;
  throw new AimassError("INVALID_ARGUMENT", `${bound} is no bound.`, { field, remedy: "0 is no bound at all." });
}
