import type { ServableModel } from "@aimass/api/registry";
import { type DeploymentSpec, type Plan, PlanSchema } from "@aimass/api/scheduler";
import { create } from "@bufbuild/protobuf";
import type { SchedulerStore } from "../database.ts";
import { toLibraryModel } from "../library/library-model.ts";
import { withMeasured } from "../library/measured-memory.ts";
import { type DeploymentPlan, planDeployment } from "../reconcile/plan.ts";
import type { LibraryModel } from "../reconcile/snapshot.ts";
import { readDecided } from "../state/decided.ts";
import { judgeObserved, readObserved } from "../state/observed.ts";
import { desiredFromSpec } from "./spec.ts";

/** Tries a deployment on the mesh as the database has it now. `models` is the library as just read. */
export async function tryDeployment(
  store: SchedulerStore,
  spec: DeploymentSpec,
  options: { models: ReadonlyMap<string, ServableModel>; leaseMs: number; drainMs: number },
): Promise<DeploymentPlan> {
  const { leaseMs, drainMs } = options;
  const [observed, decided] = await Promise.all([readObserved(store.db), readDecided(store.db)]);
  const deployed = [...observed.specs, spec].map(({ project, model }) => `${project}.${model}`);
  const models = new Map<string, LibraryModel>();
  for (const key of [...decided.library.keys(), ...deployed]) {
    const model = options.models.get(key) ?? decided.library.get(key);
    if (model !== undefined) models.set(key, toLibraryModel(model));
  }
  const judged = judgeObserved(observed, { leaderSince: 0, leaseMs });
  const snapshot = {
    ...judged,
    timings: { drainMs },
    models: withMeasured(models, judged.replicas),
    decisions: decided.decisions,
  };
  return planDeployment(snapshot, desiredFromSpec(spec));
}

/** A plan in the words of the API. */
export function encodePlan(plan: DeploymentPlan, key: string): Plan {
  return create(PlanSchema, {
    fits: plan.shortages.length === 0,
    shortages: [...plan.shortages],
    versions: plan.outcome.statuses.get(key)?.versions ?? [],
    memoryBytesPerReplica: BigInt(plan.memoryBytesPerReplica),
    diskBytesPerNode: BigInt(plan.diskBytesPerNode),
  });
}
