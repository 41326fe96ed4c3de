import type { TrainingService } from "@aimass/api/trainer";
import { defaultProject, formatResource } from "@aimass/identity";
import { callerOf, readPage, requireVerb } from "@aimass/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { requesterOf } from "../jobs/requester.ts";
import { readRule } from "../retrainings/retraining-rule.ts";
import { type Allows, maySeeJob } from "./job-rights.ts";
import type { TrainingServiceOptions } from "./training-service-options.ts";

type Calls = Pick<ServiceImpl<typeof TrainingService>, "putRetraining" | "listRetrainings" | "deleteRetraining">;

/** The calls about rules that train again. */
export function retrainingCalls({ desk, retrainings, policy, clock }: TrainingServiceOptions): Calls {
  return {
    async putRetraining({ retraining }, context) {
      const rule = readRule(retraining);
      const requester = requesterOf(policy, clock, context);
      const old = (await retrainings.list([rule.project])).find((candidate) => candidate.name === rule.name);
      if (old !== undefined) requester.require("version.create", formatResource(rule.project, old.spec?.model ?? ""));
      const { datasetVersion: newest } = await desk.try(rule.spec, requester);
      return { retraining: await retrainings.put(rule, requester.id, newest) };
    },
    async listRetrainings(request, context) {
      const { project } = request;
      const { size, after, tokenOf } = readPage(context, request, 2);
      const { principal } = callerOf(context);
      const wanted = project === "" ? await retrainings.projects() : [project];
      const allows: Allows = (verb, resource) => policy.policy.allows(principal, verb, resource, clock.now());
      const found = await retrainings.list(wanted.filter((name) => allows("job.view", name)));
      const visible = found.filter(
        (rule) => maySeeJob(rule.spec, allows) && (after === undefined || isAfter(rule, after)),
      );
      visible.sort((a, b) => (isAfter(a, [b.project, b.name]) ? 1 : -1));
      const shown = visible.slice(0, size);
      const last = visible.length > size ? shown.at(-1) : undefined;
      return { retrainings: shown, page: { nextToken: tokenOf(last && [last.project, last.name]) } };
    },
    async deleteRetraining({ project: named, name }, context) {
      const project = named || defaultProject;
      requireVerb(context, policy, "job.create", project, clock);
      const { principal } = callerOf(context);
      const allows: Allows = (verb, resource) => policy.policy.allows(principal, verb, resource, clock.now());
      const rule = (await retrainings.list([project])).find((candidate) => candidate.name === name);
      // One that may not be seen is left as one that is not there.
      if (rule === undefined || !maySeeJob(rule.spec, allows)) return {};
      requireVerb(context, policy, "version.create", formatResource(project, rule.spec?.model ?? ""), clock);
      await retrainings.delete(project, name);
      return {};
    },
  };
}

/** In the order of the list: by project, then by name. */
function isAfter(
  { project, name }: { project: string; name: string },
  [lastProject = "", lastName = ""]: readonly string[],
) {
  return project === lastProject ? name > lastName : project > lastProject;
}
