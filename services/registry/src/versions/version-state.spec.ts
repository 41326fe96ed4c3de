import type { AimassError } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { firstState, type Step, stateAfter } from "./version-state.ts";

const states = ["VALIDATED", "IN_REVIEW", "READY", "REFUSED", "RETIRED"] as const;
const legal: Record<Step, Record<string, string>> = {
  "request review": { VALIDATED: "IN_REVIEW", READY: "IN_REVIEW", IN_REVIEW: "IN_REVIEW" },
  approve: { IN_REVIEW: "READY" },
  refuse: { IN_REVIEW: "REFUSED" },
  retire: { VALIDATED: "RETIRED", IN_REVIEW: "RETIRED", READY: "RETIRED", REFUSED: "RETIRED", RETIRED: "RETIRED" },
};
const cases = Object.keys(legal).flatMap((step) => states.map((state) => [step as Step, state] as const));

describe("a version's life", () => {
  it("begins READY, or VALIDATED where a review is required", () => {
    expect([firstState(false), firstState(true)]).toEqual(["READY", "VALIDATED"]);
  });

  it.each(cases)("%s of %s goes only where it may", (step, state) => {
    const after = legal[step][state];
    if (after !== undefined) expect(stateAfter(state, step)).toBe(after);
    else expect(() => stateAfter(state, step)).toThrow(expect.objectContaining({ code: "FAILED_PRECONDITION" }));
  });

  it("says what to do where there is nothing to approve", () => {
    const said = (state: (typeof states)[number], reviewRequired: boolean) => {
      try {
        return stateAfter(state, "approve", reviewRequired);
      } catch (error) {
        return (error as AimassError).remedy;
      }
    };
    expect(said("READY", false)).toMatch(/project wants no review of versions/);
    expect(said("READY", true)).toMatch(/ask for its review first/);
    expect(said("VALIDATED", true)).toMatch(/^Ask for its review first/);
  });
});
