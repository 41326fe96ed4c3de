import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { progressFromJson, progressToJson } from "./search-checkpoint.ts";
import { type FinishedRun, type TrialOutcome, TrialResults } from "./trial.ts";

const seconds = fc.double({ min: 0, max: 1e6, noNaN: true }).map((s) => s + 0);
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0);
const folds = fc.array(fc.record({ rows: fc.nat(), metrics: fc.constant({ r2: 0.5 }) }));
const outcome: fc.Arbitrary<TrialOutcome> = fc.oneof(
  fc.record({ kind: fc.constant("scored" as const), score: number, deviation: number, folds, seconds }),
  fc.record({ kind: fc.constant("failed" as const), reason: fc.string({ unit: "grapheme" }), seconds }),
  fc.record({ kind: fc.constant("cut" as const), seconds }),
);
const finished: fc.Arbitrary<FinishedRun> = fc.record({
  run: fc.record({
    trial: fc.record({
      number: fc.integer({ min: 1, max: 300 }),
      recipe: fc.string(),
      given: fc.record({
        parameters: fc.dictionary(fc.stringMatching(/^[a-z]\w*$/), number, { noNullPrototype: true }),
        choices: fc.dictionary(fc.stringMatching(/^[a-z]\w*$/), fc.string(), { noNullPrototype: true }),
      }),
    }),
    rowsShare: fc.constantFrom(1, 1 / 3, 1 / 9),
  }),
  outcome,
});

describe("a search's checkpoint", () => {
  it("comes back from text as it was", () => {
    fc.assert(
      fc.property(fc.array(finished), seconds, fc.boolean(), fc.nat(3), (runs, taken, isOver, begun) => {
        const results = new TrialResults(runs);
        const text = JSON.stringify(progressToJson({ results, seconds: taken, isOver, begun }));
        const read = progressFromJson(JSON.parse(text)) ?? expect.fail();
        expect(read.results.all).toEqual(results.all);
        expect(read).toMatchObject({ seconds: taken, isOver, begun });
      }),
    );
  });
});
