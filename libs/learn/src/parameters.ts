import { AimassError } from "@aimass/core";
import type { ParameterSpec, Parameters } from "./estimator.ts";

/** The parameters with defaults filled in. Throws INVALID_ARGUMENT for an unknown name or a value out of bounds. */
export function resolveParameters<P extends Parameters>(specs: readonly ParameterSpec[], given: Parameters = {}): P {
  const unknown = Object.keys(given).find((name) => !specs.some((spec) => spec.name === name));
  if (unknown !== undefined) {
    throw new AimassError("INVALID_ARGUMENT", `There is no parameter "${unknown}".`, {
      field: `parameters.${unknown}`,
      remedy: `Parameters are ${specs.map((spec) => spec.name).join(", ") || "none"}.`,
    });
  }
  return Object.fromEntries(specs.map((spec) => [spec.name, checked(spec, given[spec.name] ?? spec.default)])) as P;
}

function checked(spec: ParameterSpec, value: number | string): number | string {
  const problem = problemOf(spec, value);
  if (problem === undefined) return value;
  throw new AimassError("INVALID_ARGUMENT", `The parameter "${spec.name}" is ${value}.`, {
    field: `parameters.${spec.name}`,
    remedy: problem,
  });
}

function problemOf(spec: ParameterSpec, value: number | string): string | undefined {
  if (spec.kind === "choice") {
    return spec.choices.includes(String(value)) ? undefined : `Choose one of ${spec.choices.join(", ")}.`;
  }
  const isNumber = typeof value === "number" && value >= spec.minimum && value <= spec.maximum;
  if (isNumber && (spec.kind === "number" || Number.isInteger(value))) return undefined;
  const kind = spec.kind === "integer" ? "a whole number" : "a number";
  return `Give ${kind} from ${spec.minimum} to ${spec.maximum}.`;
}
