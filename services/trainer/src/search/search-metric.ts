import { AimassError } from "@aimass/core";
import type { Task } from "@aimass/learn";

/** Metrics a search can go by; the first is the default. Those in `losses` are better when lower. */
const metricsOf: Readonly<Record<Task, readonly string[]>> = {
  regression: ["r2", "rmse", "mae"],
  classification: ["macro_f1", "accuracy", "roc_auc", "log_loss"],
};
const losses: readonly string[] = ["rmse", "mae", "log_loss"];

/** What trials are compared by. */
export interface SearchMetric {
  readonly name: string;
  readonly lowerIsBetter: boolean;
}

/** Throws INVALID_ARGUMENT for a metric that the task, or no task when it is not known yet, has. */
export function readSearchMetric(name: string, task?: Task): SearchMetric {
  const known = task === undefined ? Object.values(metricsOf).flat() : metricsOf[task];
  const chosen = name === "" ? (known[0] as string) : name;
  if (known.includes(chosen)) return { name: chosen, lowerIsBetter: losses.includes(chosen) };
  throw new AimassError("INVALID_ARGUMENT", `A search cannot go by "${name}"${task ? ` in a ${task}` : ""}.`, {
    field: "spec.search.metric",
    remedy: `Use one of: ${known.join(", ")}.`,
  });
}

/** Negative when `a` is better than `b`, for sorting the best first. */
export function compareScores(metric: SearchMetric, a: number, b: number): number {
  return metric.lowerIsBetter ? a - b : b - a;
}
