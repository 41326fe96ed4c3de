import type { Gate as GateMessage, JobSpec } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import type { Task } from "@aimass/learn";

/** Metrics a gate may look at, by task; those in `ceilings` are better when lower. */
const metricsOf = {
  regression: ["r2", "rmse", "mae", "latency_ms"],
  classification: ["accuracy", "macro_f1", "roc_auc", "log_loss", "latency_ms"],
} as const;
const ceilings: readonly string[] = ["rmse", "mae", "log_loss", "latency_ms"];

const shares: readonly string[] = ["accuracy", "macro_f1", "roc_auc"];

/** A bound that a metric must keep. */
export interface Gate {
  readonly metric: string;
  /** Ceiling for errors and losses, else floor; with `betterThan` by how much at least it must be better, 0: at all. */
  readonly bound: number;
  /** An alias. */
  readonly betterThan: string | undefined;
  /** With `betterThan`: a tie passes a bound of 0. */
  readonly orEqual: boolean;
}

/** How a gate went. */
export interface Verdict {
  readonly passed: boolean;
  /** A sentence with the numbers. */
  readonly reason: string;
}

/** What the version behind an alias is worth. */
export interface Rival {
  readonly version: bigint;
  readonly metrics: Readonly<Record<string, number>>;
  /** Of the new model, measured in the same way on the same rows; undefined: those of the rival are as it was recorded. */
  readonly own?: Readonly<Record<string, number>>;
  /** Why other metrics than these cannot be compared. */
  readonly incomparable?: string;
}

/** The gates of a spec: `gate` first, then `gates`, each with its field. */
export function gatesOf(spec: Pick<JobSpec, "gate" | "gates">): readonly (readonly [GateMessage, string])[] {
  const single = spec.gate === undefined ? [] : ([[spec.gate, "spec.gate"]] as const);
  return [...single, ...spec.gates.map((gate, i) => [gate, `spec.gates[${i}]`] as const)];
}

/** Throws INVALID_ARGUMENT for a metric that gates of this task, or of any when it is not known yet, do not know. */
export function readGate({ metric, bound, betterThan, orEqual }: GateMessage, field: string, task?: Task): Gate {
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
      remedy: "Give 0, or by how much it must be better.",
    });
  }
  assertInRange(metric, { bound, isMargin: betterThan !== "" }, `${field}.bound`);
  if (orEqual && (betterThan === "" || bound > 0)) {
    throw new AimassError(
      "INVALID_ARGUMENT",
      "The gate lets a tie pass, but compares with nothing, or asks for more.",
      {
        field: `${field}.or_equal`,
        remedy: "Name an alias in better_than and leave the bound out, or leave or_equal out.",
      },
    );
  }
  return { metric, bound, betterThan: betterThan || undefined, orEqual };
}

/** Refuses a bound that no model can keep, or that every model does because the metric never comes there. */
function assertInRange(metric: string, { bound, isMargin }: { bound: number; isMargin: boolean }, field: string): void {
  const wanted = isMargin ? marginRange(metric, bound) : boundRange(metric, bound);
  if (wanted === undefined) return;
  const message = isMargin
    ? `The gate asks for a ${metric} that is better by ${bound}.`
    : `The gate's bound of ${metric} is ${bound}.`;
  throw new AimassError("INVALID_ARGUMENT", message, { field, remedy: `Give a number ${wanted}.` });
}

/** What a bound may be, where this one is not. */
function boundRange(metric: string, bound: number): string | undefined {
  if (shares.includes(metric)) return bound < 0 || bound > 1 ? "from 0 to 1" : undefined;
  if (metric === "r2") return bound > 1 ? "at most 1" : undefined;
  if (metric === "latency_ms") return bound <= 0 ? "of milliseconds above 0" : undefined;
  return bound < 0 ? "of 0 or more" : undefined;
}

/** Of shares alone is known how much better one can be. */
function marginRange(metric: string, bound: number): string | undefined {
  return shares.includes(metric) && bound > 1 ? "from 0 to 1" : undefined;
}

/** Sums of the same numbers in another order differ by less, in shares of them. */
const noise = 1e-12;

/** Judges a gate by what was measured. `rival` is what `betterThan` points to; without one the gate passes. */
export function judge(gate: Gate, metrics: Readonly<Record<string, number>>, rival: Rival | undefined): Verdict {
  const { metric, bound, betterThan } = gate;
  const isCeiling = ceilings.includes(metric);
  if (betterThan === undefined) {
    const value = metrics[metric];
    const passed = value !== undefined && (isCeiling ? value <= bound : value >= bound);
    const should = isCeiling ? "at most" : "at least";
    return { passed, reason: `${nameOf(metric)} ${shown(value, bound)}, it must be ${should} ${bound}` };
  }
  const other = rival?.metrics[metric];
  if (other !== undefined)
    return compare(gate, (rival?.own ?? metrics)[metric], { other, version: rival?.version ?? 0n });
  if (rival?.incomparable !== undefined) {
    const reason = `${nameOf(metric)} cannot be compared with @${betterThan} (version ${rival.version}): ${rival.incomparable}`;
    return { passed: false, reason };
  }
  const none = `and there is none of @${betterThan} to compare with`;
  return { passed: true, reason: `${nameOf(metric)} ${shown(metrics[metric])}, ${none}` };
}

function compare(
  { metric, bound, betterThan, orEqual }: Gate,
  value: number | undefined,
  { other, version }: { other: number; version: bigint },
): Verdict {
  const better = value === undefined ? Number.NaN : ceilings.includes(metric) ? other - value : value - other;
  const slack = noise * Math.max(Math.abs(value ?? 0), Math.abs(other), bound);
  const passed = bound === 0 && !orEqual ? better > slack : better >= bound - slack;
  const than = `@${betterThan} (version ${version}) has ${digits(other, value)}`;
  const wanted = bound > 0 ? `it must be better by ${bound}` : orEqual ? "it must not be worse" : "it must be better";
  return { passed, reason: `${nameOf(metric)} ${shown(value, other)}, ${than}; ${wanted}` };
}

/** The latency is no metric of rows. */
function nameOf(metric: string): string {
  return metric === "latency_ms" ? metric : `held-out ${metric}`;
}

function shown(value: number | undefined, beside?: number): string {
  return value === undefined || Number.isNaN(value) ? "was not measured" : `is ${digits(value, beside)}`;
}

/** As few digits as tell a number from the one it is compared with, six at least. */
function digits(value: number, beside = value): string {
  const isTold = (precision: number) => Number(value.toPrecision(precision)) !== Number(beside.toPrecision(precision));
  const precision = [6, 9, 12, 15].find((one) => value === beside || isTold(one)) ?? 17;
  return String(Number(value.toPrecision(precision)));
}
