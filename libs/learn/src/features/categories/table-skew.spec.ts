import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ColumnData } from "../columns.ts";
import { FeatureFit } from "../feature-fit.ts";
import { Features } from "../features.ts";
import type { FeaturePlan, FeatureSpec } from "../plan.ts";
import { batchOf, differences, elementsOf, skew } from "../testing.ts";

const number = fc.oneof(
  { weight: 4, arbitrary: fc.double({ min: -100, max: 100, noNaN: true }) },
  { weight: 2, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 1, arbitrary: fc.double() },
  {
    weight: 1,
    arbitrary: fc.constantFrom(Number.NaN, -0, 1e30, -1e30, 1e300, 5e-324, 1e-40, Number.POSITIVE_INFINITY),
  },
);
const category = fc.oneof(
  fc.constantFrom("red", "green", "blue", "", undefined, "a\0b", "a", "\ud800", "\ufffd", "красный", "赤", "👍🏽", "𝒳"),
  fc.string({ unit: "binary", maxLength: 12 }),
);
const flag = fc.constantFrom(0, 1, 2);

const numberSpec = fc.record<FeatureSpec>({
  kind: fc.constant("number"),
  column: fc.constantFrom("x", "y", "flag"),
  impute: fc.constantFrom("mean", "median", "mostFrequent", { constant: -1.5 }),
  indicator: fc.constantFrom(true, false, "auto"),
  scale: fc.constantFrom("standard", "minMax", "robust", "none"),
} as never);
const bucketSpec = fc.oneof(
  fc.record({
    kind: fc.constant("bucket" as const),
    column: fc.constantFrom("x", "y"),
    buckets: fc.integer({ min: 2, max: 6 }),
  }),
  fc.constant({ kind: "bucket" as const, column: "x", edges: [-1, 0, 0.1, 7] }),
);
const oneHotSpec = fc.record({
  kind: fc.constant("oneHot" as const),
  column: fc.constantFrom("colour", "x", "flag"),
  maxCategories: fc.integer({ min: 1, max: 6 }),
  minCount: fc.integer({ min: 1, max: 3 }),
  impute: fc.constantFrom("category" as const, "mostFrequent" as const, { constant: "red" }, { constant: 1 }),
  unknown: fc.constantFrom("other" as const, "none" as const, "frequent" as const),
});
const hashSpec = fc.record({
  kind: fc.constant("hash" as const),
  column: fc.constant("colour"),
  bins: fc.integer({ min: 1, max: 300 }),
  seed: fc.nat(),
});
const discrete = fc.oneof(bucketSpec, oneHotSpec);
const crossSpec = fc.record({
  kind: fc.constant("cross" as const),
  of: fc.tuple(discrete, discrete),
  maxFeatures: fc.constantFrom(7, 1024),
});
const spec = fc.oneof(numberSpec, bucketSpec, oneHotSpec, hashSpec, crossSpec) as fc.Arbitrary<FeatureSpec>;

const columns: FeaturePlan["columns"] = [
  { name: "x", type: "number" },
  { name: "y", type: "number" },
  { name: "colour", type: "string" },
  { name: "flag", type: "boolean" },
];

function table(rows: readonly (readonly [number, number, string | undefined, number])[]) {
  const column = <T>(pick: (row: (typeof rows)[number]) => T) => rows.map(pick);
  return batchOf({
    x: { type: "number", values: Float64Array.from(column((row) => row[0])) },
    y: { type: "number", values: Float64Array.from(column((row) => row[1])) },
    colour: { type: "string", values: column((row) => row[2]) },
    flag: { type: "boolean", values: Uint8Array.from(column((row) => row[3])) } satisfies ColumnData,
  });
}

const rows = fc.array(fc.tuple(number, number, category, flag), { minLength: 1, maxLength: 30 });

function fitted(plan: FeaturePlan, batch: ReturnType<typeof table>): Features | undefined {
  const fit = new FeatureFit(plan);
  fit.add(batch);
  try {
    return fit.finish();
  } catch (error) {
    expect(error).toMatchObject({ reason: "NO_FEATURES" });
    return undefined;
  }
}

describe("tables in training and in serving", () => {
  it("become the same features, whatever the plan and the data", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(spec, { minLength: 1, maxLength: 5 }), rows, rows, async (features, seen, unseen) => {
        const made = fitted({ columns, features }, table(seen));
        if (made === undefined) return;
        expect(await skew(made, table(seen))).toEqual([]);
        expect(await skew(made, table(unseen))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it("stay the same through JSON", () => {
    fc.assert(
      fc.property(fc.array(spec, { minLength: 1, maxLength: 5 }), rows, (features, seen) => {
        const made = fitted({ columns, features }, table(seen));
        if (made === undefined) return;
        const again = Features.fromJson(JSON.parse(JSON.stringify(made.toJson())));
        expect(again.featureNames).toEqual(made.featureNames);
        const [first, second] = [made, again].map((each) => elementsOf(each.transform(table(seen)))) as [
          Float32Array,
          Float32Array,
        ];
        expect(differences(made, first, second, 0)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it("are learned alike in one batch, in many, and in parts that are merged", () => {
    fc.assert(
      fc.property(fc.array(spec, { minLength: 1, maxLength: 4 }), rows, rows, (features, one, two) => {
        const plan = { columns, features };
        const whole = new FeatureFit(plan);
        whole.add(table(one));
        whole.add(table(two));
        const [left, right] = [new FeatureFit(plan), new FeatureFit(plan)];
        left.add(table(one));
        right.add(table(two));
        left.merge(right);
        const made = [whole, left].map((fit) => {
          try {
            return fit.finish();
          } catch {
            return undefined;
          }
        });
        expect(made[1]?.featureNames).toEqual(made[0]?.featureNames);
        if (made[0] === undefined || made[1] === undefined) return;
        const [a, b] = made.map((each) => elementsOf((each as Features).transform(table(two)))) as [
          Float32Array,
          Float32Array,
        ];
        a.forEach((value, i) => {
          if (Number.isFinite(value))
            expect(Math.abs(value - (b[i] as number))).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(value)));
        });
      }),
      { numRuns: 100 },
    );
  });
});

describe("a category that training did not see", () => {
  const seen = ["red", "red", "red", "green", "green", "rare"];
  const colours = (values: readonly string[]) => batchOf({ colour: { type: "string", values } });
  const features = (unknown?: "other" | "none" | "frequent") =>
    fitted(
      {
        columns: [{ name: "colour", type: "string" }],
        features: [{ kind: "oneHot", column: "colour", ...(unknown && { unknown }) }],
      },
      colours(seen),
    ) ?? expect.fail();

  it.each([
    [undefined, [0, 0, 1]],
    ["none", [0, 0, 0]],
    ["frequent", [1, 0, 0]],
  ] as const)("is, with %s, what the plan says, and a rare one is still a rare one", async (unknown, expected) => {
    const made = features(unknown);
    const served = colours(["never seen", "rare", "green"]);
    expect(made.featureNames).toEqual(["colour=red", "colour=green", "colour=other"]);
    expect([...elementsOf(made.transform(served))]).toEqual([...expected, 0, 0, 1, 0, 1, 0]);
    expect(await skew(made, served)).toEqual([]);
  });
});
