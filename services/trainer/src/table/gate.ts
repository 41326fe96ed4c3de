import { AimassError } from "@aimass/core";

/** A bound that a held-out metric must keep. */
export interface Gate {
  readonly metric: "r2" | "rmse";
  /** Floor for r2, ceiling for rmse. */
  readonly bound: number;
}

/** Throws INVALID_ARGUMENT for a metric that gates do not know. */
export function readGate(metric: string, bound: number): Gate {
  if (metric !== "r2" && metric !== "rmse") {
    throw new AimassError("INVALID_ARGUMENT", `A gate cannot look at "${metric}".`, {
      field: "spec.gate.metric",
      remedy: 'Use "r2" or "rmse".',
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
  const value = metrics[gate.metric] ?? Number.NaN;
  const passed = gate.metric === "r2" ? value >= gate.bound : value <= gate.bound;
  if (passed) return;
  const should = gate.metric === "r2" ? "at least" : "at most";
  const message = `The gate held the model back: held-out ${gate.metric} is ${Number(value.toPrecision(6))}, it must be ${should} ${gate.bound}.`;
  throw new AimassError("FAILED_PRECONDITION", message, { reason: "GATE", field: "spec.gate" });
}
