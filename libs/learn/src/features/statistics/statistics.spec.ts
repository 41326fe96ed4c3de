import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrequentValues } from "./frequent-values.ts";
import { QuantileSketch } from "./quantile-sketch.ts";
import { RunningMoments } from "./running-moments.ts";

describe("running moments", () => {
  it("of two halves merge into those of the whole", () => {
    const values = fc.array(fc.oneof(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.constant(Number.NaN)));
    fc.assert(
      fc.property(values, values, (one, two) => {
        const [left, right, whole] = [new RunningMoments(), new RunningMoments(), new RunningMoments()];
        for (const value of one) left.add(value);
        for (const value of two) right.add(value);
        for (const value of [...one, ...two]) whole.add(value);
        left.merge(right);
        expect([left.count, left.missing]).toEqual([whole.count, whole.missing]);
        expect(left.mean).toBeCloseTo(whole.mean, 6);
        expect(left.deviation).toBeCloseTo(whole.deviation, 4);
      }),
    );
  });
});

describe("the quantile sketch", () => {
  it("is exact for few values, between neighbours by a straight line", () => {
    const sketch = new QuantileSketch();
    for (const value of [4, 1, 3, 2, Number.NaN]) sketch.add(value);
    expect(sketch.quantiles([0, 0.25, 0.5, 1])).toEqual([1, 1.75, 2.5, 4]);
    expect(new QuantileSketch().quantile(0.5)).toBeNaN();
  });

  it.each(["ascending", "mixed"])(
    "of half a million %s values in parts is within half a percent of the rank",
    (order) => {
      const count = 500_000;
      const parts = [new QuantileSketch(), new QuantileSketch()] as const;
      for (let i = 0; i < count; i++) {
        const value = order === "ascending" ? i : (i * 314_159) % count;
        (i % 3 === 0 ? parts[0] : parts[1]).add(value);
      }
      parts[0].merge(parts[1]);
      for (const share of [0.01, 0.25, 0.5, 0.75, 0.99]) {
        expect(Math.abs(parts[0].quantile(share) / count - share)).toBeLessThan(0.005);
      }
    },
  );
});

describe("frequent values", () => {
  it("are found among more values than fit, with counts off by no more than the error", () => {
    const values = new FrequentValues<string>(100);
    for (let i = 0; i < 20_000; i++) {
      values.add(i % 4 === 0 ? `often ${i % 8}` : `once ${i}`);
    }
    const [first, second] = values.sorted();
    expect([first?.[0], second?.[0]].sort()).toEqual(["often 0", "often 4"]);
    expect((first?.[1] ?? 0) + values.error).toBeGreaterThanOrEqual(2500);
    expect(values.size).toBeLessThanOrEqual(200);
  });
});
