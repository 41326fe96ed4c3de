import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type NumberFigures, shiftFor } from "./column-reading.ts";
import { defaultPlan } from "./default-plan.ts";
import { FeatureFit } from "./feature-fit.ts";
import type { FeatureSpec } from "./plan.ts";
import { batchOf, elementsOf, numbers, skew } from "./testing.ts";

function figuresOf(values: readonly number[]): NumberFigures {
  const mean = values.reduce((sum, value) => sum + value / values.length, 0);
  const standardDeviation =
    Math.sqrt(values.reduce((sum, value) => sum + ((value - mean) / 1e150) ** 2, 0) / values.length) * 1e150;
  const [minimum, maximum] = [Math.min(...values), Math.max(...values)];
  return { minimum, maximum, mean, standardDeviation, integers: values.every(Number.isInteger) };
}

function fitted(values: readonly number[], features?: readonly FeatureSpec[]) {
  const statistics = { kind: "number", ...figuresOf(values) };
  const distinct = { count: new Set(values).size };
  const plan = defaultPlan(
    { columns: [{ name: "x", type: "number", count: values.length, missing: 0, distinct, statistics }] },
    "",
  );
  const fit = new FeatureFit(features === undefined ? plan : { ...plan, features });
  fit.add(batchOf({ x: numbers(values) }));
  return fit.finish();
}

const apart = (values: readonly number[]) => {
  const found = elementsOf(fitted(values).transform(batchOf({ x: numbers(values) })));
  return new Set(found).size === new Set(values).size;
};
const run = (from: number, step: number) => Array.from({ length: 400 }, (_, i) => from + i * step);

describe("numbers that FP32 would make one of many", () => {
  it.each([
    ["moments in milliseconds", run(1_700_000_000_000, 1000)],
    ["moments in seconds", run(1_700_000_000, 1)],
    ["long numbers", run(9_007_199_254_000_000, 1)],
    ["prices in the smallest coin", run(2 ** 24 + 1, 1)],
    ["negative ones", run(-1_700_000_000_000, 7)],
    ["readings close together far from 0", run(101_325, 1e-4)],
    ["numbers beyond FP32", run(1e39, 1e37)],
    ["numbers below FP32", run(0, 1e-44)],
  ])("stay apart: %s", async (_, values) => {
    expect(apart(values)).toBe(true);
    const batch = batchOf({ x: numbers([...values, undefined, 0, 1e300]) });
    expect(await skew(fitted(values), batch)).toEqual([]);
  });

  it("are read as they are where FP32 keeps them apart", () => {
    for (const values of [run(1990, 1), run(0, 0.01), run(37.7, 0.001), run(-5, 1), run(0, 1e6), [7, 7, 7]]) {
      expect(shiftFor(figuresOf(values))).toBeUndefined();
    }
    // A few large ones among small ones are what FP32 takes for missing.
    expect(shiftFor(figuresOf([...run(1, 1), 1e300]))).toBeUndefined();
  });

  it("keep edges and constants where a person put them, and the baseline in their own unit", async () => {
    const values = run(1_700_000_000_000, 1000);
    const edge = 1_700_000_200_000;
    const features = fitted(values, [
      { kind: "bucket", column: "x", edges: [edge] },
      { kind: "number", column: "x", impute: { constant: edge }, scale: "none" },
    ]);
    const [at, below, gap] = Array.from({ length: 3 }, (_, row) => {
      const all = elementsOf(features.transform(batchOf({ x: numbers([edge, edge - 1, undefined]) })));
      return [...all.subarray(row * features.cols, (row + 1) * features.cols)];
    });
    expect(at?.slice(-3)).toEqual([0, 1, 0]);
    expect(below?.slice(-3)).toEqual([1, 0, 0]);
    expect(gap?.[0]).toBe(at?.[0]);
    const [baseline] = features.baseline;
    const quantiles = baseline?.kind === "number" ? baseline.quantiles : expect.fail();
    expect(quantiles[0]).toBe(1_700_000_000_000);
    expect(quantiles.at(-1)).toBe(1_700_000_399_000);
    expect(await skew(features, batchOf({ x: numbers(values) }))).toEqual([]);
  });

  it("are the same in training and serving, whatever they are", async () => {
    const base = fc.double({ noNaN: true, noDefaultInfinity: true });
    await fc.assert(
      fc.asyncProperty(base, base, fc.array(base, { minLength: 1, maxLength: 20 }), async (from, step, served) => {
        const values = Array.from({ length: 20 }, (_, i) => from + i * (step / 20)).filter(Number.isFinite);
        fc.pre(new Set(values).size > 1);
        expect(await skew(fitted(values), batchOf({ x: numbers([...values, ...served, undefined]) }))).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});
