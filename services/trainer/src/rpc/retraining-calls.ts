import type { TrainingService } from "@aimass/api/trainer";
import { defaultProject } from "@aimass/identity";
import { callerOf, requireVerb } from "@aimass/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { requesterOf } from "../jobs/requester.ts";
import { readRule } from "../retrainings/retraining-rule.ts";
import type { TrainingServiceOptions } from "./training-service-options.ts";

type Calls = Pick<ServiceImpl<typeof TrainingService>, "putRetraining" | "listRetrainings" | "deleteRetraining">;

/** The calls about rules that train again. */
export function retrainingCalls({ desk, retrainings, policy, clock }: TrainingServiceOptions): Calls {
  return {
    async putRetraining({ retraining }, context) {
      const rule = readRule(retraining);
      const requester = requesterOf(policy, clock, context);
      const { datasetVersion: newest } = await desk.try(rule.spec, requester);
      return { retraining: await retrainings.put(rule, requester.id, newest) };
    },
    async listRetrainings({ project }, context) {
      const { principal } = callerOf(context);
      const wanted = project === "" ? await retrainings.projects() : [project];
      const allowed = wanted.filter((name) => policy.policy.allows(principal, "job.view", name, clock.now()));
      return { retrainings: await retrainings.list(allowed) };
    },
    async deleteRetraining({ project, name }, context) {
      requireVerb(context, policy, "job.create", project || defaultProject, clock);
      await retrainings.delete(project || defaultProject, name);
      return {};
    },
  };
}
