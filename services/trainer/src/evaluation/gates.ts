import type { Gate as GateMessage, JobSpec } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import type { Task } from "@aimass/learn";

/** Metrics a gate may look at, by task; those in `ceilings` are better when lower. */
const metricsOf = {
  regression: ["r2", "rmse", "mae", "latency_ms"],
  classification: ["accuracy", "macro_f1", "roc_auc", "log_loss", "latency_ms"],
} as const;
const ceilings: readonly string[] = ["rmse", "mae", "log_loss", "latency_ms"];

/** A bound that a metric must keep. */
export interface Gate {
  readonly metric: string;
  /** Ceiling for errors and losses, else floor; with `betterThan` by how much at least it must be better. */
  readonly bound: number;
  /** An alias. */
  readonly betterThan: string | undefined;
}

/** How a gate went. */
export interface Verdict {
  readonly passed: boolean;
  /** A sentence with the numbers. */
  readonly reason: string;
}

/** What the version behind an alias is worth: measured on the same rows, or as it was recorded. */
export interface Rival {
  readonly version: bigint;
  readonly metrics: Readonly<Record<string, number>>;
}

/** The gates of a spec: `gate` first, then `gates`, each with its field. */
export function gatesOf(spec: Pick<JobSpec, "gate" | "gates">): readonly (readonly [GateMessage, string])[] {
  const single = spec.gate === undefined ? [] : ([[spec.gate, "spec.gate"]] as const);
  return [...single, ...spec.gates.map((gate, i) => [gate, `spec.gates[${i}]`] as const)];
}

/** Throws INVALID_ARGUMENT for a metric that gates of this task, or of any when it is not known yet, do not know. */
export function readGate({ metric, bound, betterThan }: GateMessage, field: string, task?: Task): Gate {
  const known: readonly string[] = task === undefined ? [...new Set(Object.values(metricsOf).flat())] : metricsOf[task];
  if (!known.includes(metric)) {
    throw new AimassError("INVALID_ARGUMENT", `A gate cannot look at "${metric}"${task ? ` in a ${task}` : ""}.`, {
      field: `${field}.metric`,
      remedy: `Use one of: ${known.join(", ")}.`,
    });
  }
  if (!Number.isFinite(bound)) {
    throw new AimassError("INVALID_ARGUMENT", `The gate's bound is ${bound}.`, { field: `${field}.bound` });
  }
  if (betterThan !== "" && bound < 0) {
    throw new AimassError("INVALID_ARGUMENT", `The gate asks to be better by ${bound}.`, {
      field: `${field}.bound`,
      remedy: "Give 0 for not worse, or by how much it must be better.",
    });
  }
  return { metric, bound, betterThan: betterThan || undefined };
}

/** Judges a gate by what was measured. `rival` is what `betterThan` points to; without one the gate passes. */
export function judge(gate: Gate, metrics: Readonly<Record<string, number>>, rival: Rival | undefined): Verdict {
  const { metric, bound, betterThan } = gate;
  const value = metrics[metric];
  const isCeiling = ceilings.includes(metric);
  if (betterThan === undefined) {
    const passed = value !== undefined && (isCeiling ? value <= bound : value >= bound);
    const should = isCeiling ? "at most" : "at least";
    return { passed, reason: `${nameOf(metric)} ${shown(value)}, it must be ${should} ${bound}` };
  }
  const other = rival?.metrics[metric];
  if (other === undefined)
    return {
      passed: true,
      reason: `${nameOf(metric)} ${shown(value)}, and there is none of @${betterThan} to compare with`,
    };
  const better = value === undefined ? Number.NEGATIVE_INFINITY : isCeiling ? other - value : value - other;
  const than = `@${betterThan} (version ${rival?.version}) has ${rounded(other)}`;
  const wanted = bound === 0 ? "it must not be worse" : `it must be better by ${bound}`;
  return { passed: better >= bound, reason: `${nameOf(metric)} ${shown(value)}, ${than}; ${wanted}` };
}

/** The latency is no metric of rows. */
function nameOf(metric: string): string {
  return metric === "latency_ms" ? metric : `held-out ${metric}`;
}

function shown(value: number | undefined): string {
  return value === undefined ? "was not measured" : `is ${rounded(value)}`;
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(6)));
}
