import type { Transaction } from "../database.ts";
import type { ModelName } from "../names.ts";

/** Whether versions of a project must be approved now. */
export async function isReviewRequired(tx: Transaction, project: string): Promise<boolean> {
  const row = await tx.selectFrom("project").select("review_required").where("name", "=", project).executeTakeFirst();
  return row?.review_required ?? true;
}

/** Whether a version was never approved though its project needs that: it was made while it did not. */
export async function lacksReview(tx: Transaction, name: ModelName, version: bigint): Promise<boolean> {
  if (!(await isReviewRequired(tx, name.project))) return false;
  const approval = await tx
    .selectFrom("review")
    .select("id")
    .where("project", "=", name.project)
    .where("model", "=", name.model)
    .where("version", "=", String(version))
    .where("step", "=", "approved")
    .executeTakeFirst();
  return approval === undefined;
}
