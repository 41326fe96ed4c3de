import { AimassError } from "@aimass/core";
import type { ColumnData } from "@aimass/datasets";
import type { ClassLabels } from "@aimass/learn";

export const mostClasses = 1000;

/** Finds the classes of a target column: text, truth values, or numbers. */
export class ClassNames {
  readonly #target: string;
  readonly #seen = new Map<string, number>();
  #areWhole = true;

  constructor(target: string) {
    this.#target = target;
  }

  /** Throws FAILED_PRECONDITION for too many classes. */
  add(column: Pick<ColumnData, "type" | "values">): void {
    for (const name of namesOf(column)) this.#seen.set(name, (this.#seen.get(name) ?? 0) + 1);
    if (column.type !== "number") this.#areWhole = false;
    else this.#areWhole &&= (column.values as Float64Array).every(Number.isSafeInteger);
    if (this.#seen.size > mostClasses) throw tooManyClasses(this.#target);
  }

  /** Rows of each. */
  get rows(): ReadonlyMap<string, number> {
    return this.#seen;
  }

  /** In order. Throws FAILED_PRECONDITION (ONE_CLASS) when there is nothing to tell apart. */
  finish(): ClassLabels {
    const names = [...this.#seen.keys()];
    if (names.length < 2) {
      const message = `Every row of the training part has the ${this.#target} "${names[0] ?? ""}".`;
      throw unfit(message, "Give rows of at least two classes.", "ONE_CLASS");
    }
    if (!this.#areWhole) return { datatype: "BYTES", values: names.sort() };
    return { datatype: "INT64", values: names.map(BigInt).sort((a, b) => (a < b ? -1 : 1)) };
  }
}

/** Per row the index of its class, -1 for one that is not among the labels. */
export function classIndices(column: Pick<ColumnData, "type" | "values">, labels: ClassLabels): Int32Array {
  const places = new Map(labels.values.map((label, index) => [String(label), index]));
  return Int32Array.from(namesOf(column), (name) => places.get(name) ?? -1);
}

function namesOf({ type, values }: Pick<ColumnData, "type" | "values">): readonly string[] {
  if (type === "boolean") return Array.from(values as Uint8Array, (value) => (value === 1 ? "true" : "false"));
  return Array.from(values as ArrayLike<unknown>, String);
}

export function tooManyClasses(target: string): AimassError {
  const message = `The target "${target}" has more than ${mostClasses} classes.`;
  return unfit(message, "Train a regression on a number, or choose a target with fewer classes.");
}

function unfit(message: string, remedy: string, reason = "BAD_TARGET"): AimassError {
  return new AimassError("FAILED_PRECONDITION", message, { reason, field: "spec.target", remedy });
}
