import type { JobSpec } from "@aimass/api/trainer";
import { formatResource } from "@aimass/identity";

/** Whether somebody may do a verb on a resource. */
export type Allows = (verb: string, resource: string) => boolean;

/**
 * Whether somebody may know of a job or of a rule for one: by the project, and by the model that it makes, which its metrics, columns and logs tell of.
 * Whoever may not see the model does not see what trains it.
 */
export function maySeeJob(spec: Pick<JobSpec, "project" | "model"> | undefined, allows: Allows): boolean {
  const { project = "", model = "" } = spec ?? {};
  const resource = formatResource(project, model);
  return allows("job.view", project) && allows("job.view", resource) && allows("model.view", resource);
}
