import { AimassError } from "@aimass/core";
import type { StateName } from "../database.ts";

/*
 * A version's life. It begins when the inspection is over, because nothing is registered before:
 *
 *   (inspected) ─┬─ project needs no review ──────────────────────→ READY ──retire──→ RETIRED
 *                └─ VALIDATED ──request review──→ IN_REVIEW ─┬─ approve ─→ READY
 *                                                            └─ refuse ──→ REFUSED
 *
 * VALIDATED, IN_REVIEW and REFUSED versions can be retired too. READY without a review goes to IN_REVIEW where the project came to need reviews.
 */

/** What someone wants of a version. */
export type Step = "request review" | "approve" | "refuse" | "retire";

const next: Readonly<Record<Step, Partial<Record<StateName, StateName>>>> = {
  "request review": { VALIDATED: "IN_REVIEW", READY: "IN_REVIEW", IN_REVIEW: "IN_REVIEW" },
  approve: { IN_REVIEW: "READY" },
  refuse: { IN_REVIEW: "REFUSED" },
  retire: { VALIDATED: "RETIRED", IN_REVIEW: "RETIRED", READY: "RETIRED", REFUSED: "RETIRED", RETIRED: "RETIRED" },
};

/** The state of a version that passed its inspection. */
export function firstState(reviewRequired: boolean): StateName {
  return reviewRequired ? "VALIDATED" : "READY";
}

/** The state after a step; the same state when the step was taken before. Errors: FAILED_PRECONDITION. */
export function stateAfter(state: StateName, step: Step): StateName {
  const after = next[step][state];
  if (after !== undefined) return after;
  const fitting = Object.keys(next[step]).join(" or ");
  throw new AimassError("FAILED_PRECONDITION", `The version is ${state}; to ${step} it must be ${fitting}.`, {
    reason: "VERSION_STATE",
    field: "version",
  });
}
