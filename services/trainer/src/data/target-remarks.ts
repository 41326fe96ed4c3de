import { AimassError } from "@aimass/core";
import type { ColumnProfile } from "@aimass/datasets";
import type { Task } from "@aimass/learn";
import { mostClasses, tooManyClasses } from "./class-names.ts";

/** With fewer rows a table is an example, in which few classes repeat. */
const fewestRows = 20;
/** Numbers with a fraction that take more values than this are measured, whatever they are used for. */
const mostGrades = 20;
/** Classes that a sentence names. */
const shownClasses = 5;

/** Throws FAILED_PRECONDITION for a target of too many classes, or whose values hardly come again: such classes cannot be learnt. `distinct`: 0 when it is not known. */
export function assertClasses({ name, distinct, count }: { name: string; distinct: number; count: number }): void {
  // Above 1024 it is an estimate; the exact look comes later.
  if (distinct > mostClasses * 1.1) throw tooManyClasses(name);
  if (count < fewestRows || distinct * 2 <= count) return;
  const message = `The target "${name}" has ${distinct} different values in ${count} rows, too many to be classes.`;
  throw new AimassError("FAILED_PRECONDITION", message, {
    reason: "BAD_TARGET",
    field: "spec.target",
    remedy:
      "Train a regression on a number (--task regression, for instance --recipe ridge), or choose a target whose values come again.",
  });
}

/** What a person may not have meant by a target. */
export function targetRemarks({ name, statistics, distinct }: ColumnProfile, task: Task): string[] {
  const values = distinct?.count ?? 0;
  if (values === 1) return [`The target "${name}" is the same in every row; there is nothing to learn.`];
  if (statistics.kind !== "number") return [];
  const { integers, minimum, maximum } = statistics;
  if (task === "regression" && values === 2 && integers) {
    return [
      `The target "${name}" has two values only, ${minimum} and ${maximum}: this is a regression. For classes with probabilities train a classification (--task classification).`,
    ];
  }
  if (task === "classification" && !integers && values > mostGrades) {
    return [
      `The target "${name}" has ${values} different numbers with fractions, each a class of its own. For numbers train a regression (--task regression).`,
    ];
  }
  return [];
}

/** Of classes by how many training rows they have. */
export function classRemarks(target: string, rows: ReadonlyMap<string, number>): string[] {
  const lone = [...rows].filter(([, count]) => count === 1).map(([label]) => label);
  if (lone.length === 0) return [];
  const more = lone.length > shownClasses ? " …" : "";
  const named = `${lone.slice(0, shownClasses).join(", ")}${more}`;
  const are = lone.length === 1 ? "One class" : `${lone.length} classes`;
  const have = lone.length === 1 ? "has" : "have";
  return [`${are} of the target "${target}" ${have} a single training row, which tells little: ${named}.`];
}
