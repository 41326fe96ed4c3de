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

/** The state after a step; the same state when the step was taken before. Errors: FAILED_PRECONDITION, with what to do where a review is not asked for. */
export function stateAfter(state: StateName, step: Step, reviewRequired = true): StateName {
  const after = next[step][state];
  if (after !== undefined) return after;
  const fitting = Object.keys(next[step]).join(" or ");
  throw new AimassError("FAILED_PRECONDITION", `The version is ${state}; to ${step} it must be ${fitting}.`, {
    reason: "VERSION_STATE",
    field: "version",
    ...remedyFor(state, step, reviewRequired),
  });
}

function remedyFor(state: StateName, step: Step, reviewRequired: boolean): { readonly remedy?: string } {
  if (step !== "approve" && step !== "refuse") return {};
  if (state === "VALIDATED") return { remedy: "Ask for its review first." };
  if (state !== "READY") return {};
  if (reviewRequired) return { remedy: "Where it was not approved yet, ask for its review first." };
  return {
    remedy: "Its project wants no review of versions: it may be used as it is. A project can be set to want one.",
  };
}
