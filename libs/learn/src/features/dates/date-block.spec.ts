import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FeatureFit } from "../feature-fit.ts";
import { Features } from "../features.ts";
import type { DateFeature, FeaturePlan } from "../plan.ts";
import { batchOf, elementsOf, skew, strings } from "../testing.ts";

const iso = (days: number) => new Date(days * 86_400_000).toISOString().slice(0, 10);

function fitted(texts: readonly (string | undefined)[], kind: "date" | "datetime", spec: Partial<DateFeature> = {}) {
  const plan: FeaturePlan = {
    columns: [{ name: "t", type: "string", reading: { kind } }],
    features: [{ kind: "date", column: "t", ...spec }],
  };
  const fit = new FeatureFit(plan);
  fit.add(batchOf({ t: strings(texts) }));
  return fit.finish();
}

const years = Array.from({ length: 800 }, (_, i) => iso(19_000 + i));

describe("a column of days", () => {
  it("becomes numbers for trees and circles for weights, as far as training lasts", () => {
    const names = (texts: readonly string[], spec: Partial<DateFeature>) => fitted(texts, "date", spec).featureNames;
    const all = ["t=elapsed", "t=year", "t=month", "t=day", "t=weekday"];
    expect(names(years, {})).toEqual(all);
    expect(names(years.slice(0, 40), {})).toEqual(["t=elapsed", "t=weekday"]);
    expect(names(years.slice(0, 5), {})).toEqual(["t=elapsed"]);
    const circles = names(years, { encoding: "circles" });
    expect(circles).toContain("t=dec");
    expect(circles).toContain("t=sun");
    expect(circles).toContain("t=season sin");
    expect(names(years.slice(0, 3), { parts: ["hour", "month"] })).toEqual(["t=hour", "t=month"]);
  });

  it("has no negative features where there may be none, and flags gaps where training had some", () => {
    for (const encoding of ["ordered", "circles"] as const) {
      const features = fitted([...years, undefined], "date", { nonNegative: true, encoding });
      const batch = batchOf({ t: strings([...years, undefined]) });
      expect(Math.min(...elementsOf(features.transform(batch)))).toBeGreaterThanOrEqual(0);
      expect(features.featureNames.at(-1)).toBe("t=missing");
    }
  });

  it("is read the same in training and serving, whatever the day, for every part", async () => {
    const day = fc.option(fc.integer({ min: -200_000, max: 200_000 }).map(iso), { nil: undefined });
    const parts = ["elapsed", "year", "month", "day", "weekday", "hour", "months", "weekdays", "season"] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.array(day, { minLength: 1, maxLength: 30 }),
        fc.array(day, { minLength: 1 }),
        async (seen, served) => {
          const features = fitted(seen, "date", { parts });
          const again = Features.fromJson(JSON.parse(JSON.stringify(features.toJson())));
          expect(
            await skew(again, batchOf({ t: strings([...served, "0001-01-01", "9999-12-31", "not a day"]) })),
          ).toEqual([]);
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe("a column of moments", () => {
  const moments = Array.from({ length: 500 }, (_, i) => new Date(1.7e12 + i * 5_000_000).toISOString());

  it("has hours where there are any, and keeps seconds apart", async () => {
    const features = fitted(moments, "datetime");
    expect(features.featureNames).toEqual(["t=elapsed", "t=weekday", "t=hour"]);
    const midnights = moments.map((text) => `${text.slice(0, 10)}T00:00:00Z`);
    expect(fitted(midnights, "datetime").featureNames).not.toContain("t=hour");
    const close = ["2024-02-29T23:59:58Z", "2024-02-29T23:59:59Z", "2024-03-01T00:00:00Z", "2024-03-01 01:30"];
    const seconds = fitted(close.slice(0, 3), "datetime", { parts: ["elapsed"] });
    const elapsed = elementsOf(seconds.transform(batchOf({ t: strings(close.slice(0, 3)) })));
    expect(new Set(elapsed).size).toBe(3);
    expect(await skew(features, batchOf({ t: strings([...close, "1969-12-31T23:59:59.999Z", undefined]) }))).toEqual(
      [],
    );
  });

  it("has a baseline of seconds, in which drift is told", () => {
    const [baseline] = fitted(moments, "datetime").baseline;
    expect(baseline).toMatchObject({ kind: "number", column: "t", count: 500, missing: 0 });
  });
});

it("a date is no text beside it", () => {
  const plan: FeaturePlan = {
    columns: [{ name: "t", type: "string", reading: { kind: "date" } }],
    features: [
      { kind: "date", column: "t" },
      { kind: "oneHot", column: "t" },
    ],
  };
  expect(() => new FeatureFit(plan)).toThrow(/a date and something else at once/);
});
