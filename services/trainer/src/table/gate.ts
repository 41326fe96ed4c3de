import { AimassError } from "@aimass/core";

/** Metrics a gate may look at, by task; those in `ceilings` are better when lower. */
const metricsOf = {
  regression: ["r2", "rmse", "mae"],
  classification: ["accuracy", "macro_f1", "roc_auc", "log_loss"],
} as const;
const ceilings: readonly string[] = ["rmse", "mae", "log_loss"];

/** A bound that a held-out metric must keep. */
export interface Gate {
  readonly metric: string;
  /** Ceiling for errors and losses, else floor. */
  readonly bound: number;
}

/** Throws INVALID_ARGUMENT for a metric that gates of this task, or of any when it is not known yet, do not know. */
export function readGate(metric: string, bound: number, task?: keyof typeof metricsOf): Gate {
  const known: readonly string[] = task === undefined ? Object.values(metricsOf).flat() : metricsOf[task];
  if (!known.includes(metric)) {
    throw new AimassError("INVALID_ARGUMENT", `A gate cannot look at "${metric}"${task ? ` in a ${task}` : ""}.`, {
      field: "spec.gate.metric",
      remedy: `Use one of: ${known.join(", ")}.`,
    });
  }
  if (!Number.isFinite(bound)) {
    throw new AimassError("INVALID_ARGUMENT", `The gate's bound is ${bound}.`, { field: "spec.gate.bound" });
  }
  return { metric, bound };
}

/** Throws FAILED_PRECONDITION with the numbers when the gate holds a model back. */
export function passGate(gate: Gate | undefined, metrics: Readonly<Record<string, number>>): void {
  if (gate === undefined) return;
  const value = metrics[gate.metric];
  const isCeiling = ceilings.includes(gate.metric);
  if (value !== undefined && (isCeiling ? value <= gate.bound : value >= gate.bound)) return;
  const found = value === undefined ? "was not measured" : `is ${Number(value.toPrecision(6))}`;
  const should = isCeiling ? "at most" : "at least";
  const message = `The gate held the model back: held-out ${gate.metric} ${found}, it must be ${should} ${gate.bound}.`;
  throw new AimassError("FAILED_PRECONDITION", message, { reason: "GATE", field: "spec.gate" });
}
