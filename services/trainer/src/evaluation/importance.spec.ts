import { describe, expect, it } from "vitest";
import { TrainingData } from "../data/training-data.ts";
import { withJob } from "../testing/job-work.ts";
import type { Answer } from "./answer.ts";
import { importancesOf } from "./importance.ts";

const rows = Array.from({ length: 400 }, (_, i) => `${(i * 37) % 101},${(i * 53) % 89},w${i % 5},${(i * 37) % 101}`);
const bytes = `a,b,word,y\n${rows.join("\n")}\n`;

/** Knows the answer from one column. */
const predictor = {
  predict: ({ columns }: { columns: ReadonlyMap<string, { values: ArrayLike<unknown> }> }): Answer => ({
    kind: "numbers",
    values: columns.get("a")?.values as Float64Array,
  }),
};

function importances(seed: bigint, repeats = 3) {
  return withJob({ bytes, spec: { recipe: "ridge", target: "y", features: ["a", "b", "word"] } }, async (work) => {
    await using data = await TrainingData.open(work);
    const options = { repeats, seed, columns: ["b", "a", "word"], report: work.report, signal: work.signal };
    return await importancesOf(data, predictor, options);
  });
}

describe("the importance of a column", () => {
  it("is what a model loses without it, largest first, and nothing for columns it does not look at", async () => {
    const found = await importances(1n);
    expect(found.map(({ column }) => column)).toEqual(["a", "b", "word"]);
    // A shuffled column is worth nothing, and misses by twice the spread.
    expect(found[0]?.mean).toBeGreaterThan(1.5);
    expect(found[0]?.mean).toBeLessThan(2.5);
    expect(found[0]?.deviation).toBeGreaterThan(0);
    expect(found.slice(1)).toMatchObject([
      { mean: 0, deviation: 0 },
      { mean: 0, deviation: 0 },
    ]);
  });

  it("depends on the seed alone", async () => {
    expect(await importances(1n)).toEqual(await importances(1n));
    expect(await importances(2n)).not.toEqual(await importances(1n));
  });

  it("is not measured when it is not wanted", async () => {
    expect(await importances(1n, -1)).toEqual([]);
  });
});
