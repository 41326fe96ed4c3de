import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCheckpoint, writeCheckpoint } from "./search-checkpoint.ts";
import { type FinishedRun, type TrialOutcome, TrialResults } from "./trial.ts";

const seconds = fc.double({ min: 0, max: 1e6, noNaN: true }).map((s) => s + 0);
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0);
const outcome: fc.Arbitrary<TrialOutcome> = fc.oneof(
  fc.record({ kind: fc.constant("scored" as const), score: number, deviation: number, seconds }),
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
  it("comes back as it was written", () => {
    const training = fc.option(fc.uint8Array({ minLength: 1 }), { nil: undefined });
    fc.assert(
      fc.property(fc.array(finished), seconds, training, (runs, taken, state) => {
        const results = new TrialResults(runs);
        const read = readCheckpoint(writeCheckpoint({ results, seconds: taken, training: state })) ?? expect.fail();
        expect(read.results.all).toEqual(results.all);
        expect(read.seconds).toBe(taken);
        expect(read.training && Buffer.from(read.training)).toEqual(state && Buffer.from(state));
      }),
    );
  });

  it("that is something else is none", () => {
    for (const text of ["", "\n", "{}\n", '{"kind":"other"}\n', "no end"]) {
      expect(readCheckpoint(Buffer.from(text))).toBeUndefined();
    }
    expect(readCheckpoint(undefined)).toBeUndefined();
  });
});
