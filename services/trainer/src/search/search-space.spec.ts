import { estimators } from "@aimass/learn";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Dimension, samplePoints, searchSpace } from "./search-space.ts";

const nothing = { parameters: {}, choices: {} };
const range = (from: number, to: number, scale = "linear") => ({ from, to, scale, words: [] });
const specsOf = (name: string) => estimators.find((e) => e.name === name)?.parameters ?? expect.fail();

describe("where a search looks", () => {
  it("is where the estimator says, without the parameters that were given", () => {
    const names = (given: object) =>
      searchSpace(specsOf("gradient-boosting-regressor"), {
        given: { ...nothing, parameters: { ...given } },
        ranges: {},
      }).dimensions.map(({ name }) => name);
    expect(names({})).toEqual(["iterations", "learningRate", "maxLeaves", "minRowsPerLeaf", "l2"]);
    expect(names({ l2: 3 })).not.toContain("l2");
  });

  it("is the ranges alone, as soon as there is one; what is given then is where it begins", () => {
    const given = { parameters: { l2: 3 }, choices: {} };
    const space = searchSpace(specsOf("linear-regression"), { given, ranges: { l2: range(1e-3, 10, "log") } });
    expect(space.dimensions).toEqual([{ kind: "number", name: "l2", scale: "log", from: 1e-3, to: 10, start: 3 }]);
    expect(samplePoints(space, 5, 1n)[0]).toEqual(given);
  });

  it("begins inside the range when a default, or what is given, lies outside of it", () => {
    const first = (name: string, ranges: object, given: object = nothing) =>
      samplePoints(searchSpace(specsOf(name), { given: { ...nothing, ...given }, ranges: { ...ranges } }), 9, 1n);
    expect(first("decision-tree-classifier", { maxDepth: range(1, 1) })).toEqual([
      { parameters: { maxDepth: 1 }, choices: {} },
    ]);
    const l2 = { l2: range(1e-3, 10, "log") };
    expect(first("linear-regression", l2, { parameters: { l2: 1e6 } })[0]?.parameters).toEqual({ l2: 10 });
    expect(first("linear-regression", l2, { parameters: { l2: 0 } })[0]?.parameters).toEqual({ l2: 1e-3 });
    const words = { classWeights: { ...range(0, 0), words: ["balanced"] } };
    for (const point of first("logistic-regression", words))
      expect(point.choices).toEqual({ classWeights: "balanced" });
  });

  it("tries all words of a parameter of words unless some are named", () => {
    const dimensionsOf = (words: string[]) =>
      searchSpace(specsOf("logistic-regression"), {
        given: nothing,
        ranges: { classWeights: { ...range(0, 0), words } },
      }).dimensions;
    const words = (...all: string[]) => [{ kind: "words", name: "classWeights", words: all, start: all[0] }];
    expect(dimensionsOf([])).toEqual(words("none", "balanced"));
    expect(dimensionsOf(["balanced"])).toEqual(words("balanced"));
  });

  it("stays within the bounds that every estimator has", () => {
    for (const { parameters } of estimators) {
      const space = searchSpace(parameters, { given: nothing, ranges: {} });
      for (const { parameters: drawn, choices } of samplePoints(space, 30, 9n)) {
        for (const spec of parameters) {
          if (spec.kind === "choice") expect([...spec.choices, undefined]).toContain(choices[spec.name]);
          else {
            const value = drawn[spec.name] ?? spec.default;
            expect(value).toBeGreaterThanOrEqual(spec.minimum);
            expect(value).toBeLessThanOrEqual(spec.maximum);
            expect(spec.kind === "integer" ? Number.isInteger(value) : true).toBe(true);
          }
        }
      }
    }
  });
});

const dimension: fc.Arbitrary<Dimension> = fc.oneof(
  fc
    .record({
      kind: fc.constantFrom("number" as const, "integer" as const),
      scale: fc.constantFrom("linear" as const, "log" as const),
      from: fc.integer({ min: 1, max: 1000 }),
      width: fc.integer({ min: 0, max: 1e6 }),
    })
    .map(({ width, ...d }) => ({ ...d, name: "n", to: d.from + width })),
  fc
    .uniqueArray(fc.string(), { minLength: 1, maxLength: 4 })
    .map((words) => ({ kind: "words" as const, name: "w", words })),
);

describe("points of a space", () => {
  it("begin with what is given, lie inside, never come twice, and are the same for equal seeds", () => {
    const space = fc.uniqueArray(dimension, { selector: ({ name }) => name, maxLength: 2 });
    fc.assert(
      fc.property(space, fc.bigInt(0n, 2n ** 64n - 1n), fc.integer({ min: 1, max: 40 }), (dimensions, seed, count) => {
        const points = samplePoints({ dimensions, given: nothing }, count, seed);
        expect(points).toEqual(samplePoints({ dimensions, given: nothing }, count, seed));
        expect(points[0]).toEqual(nothing);
        expect(points.length).toBeLessThanOrEqual(count);
        expect(new Set(points.map((p) => JSON.stringify(p))).size).toBe(points.length);
        for (const point of points.slice(1)) for (const d of dimensions) expect(isInside(d, point)).toBe(true);
      }),
    );
  });

  it("lie inside every range a person may give, the first one too, for every parameter of every estimator", () => {
    for (const { name, parameters } of estimators) {
      for (const spec of parameters) {
        if (spec.kind === "choice") continue;
        const whole = (value: number) => (spec.kind === "integer" ? Math.round(value) : value);
        const share = fc.double({ min: 0, max: 1, noNaN: true });
        fc.assert(
          fc.property(share, share, share, fc.boolean(), (a, b, c, isLog) => {
            const at = (s: number) => whole(spec.minimum + s * (Math.min(spec.maximum, 1e6) - spec.minimum));
            const [from, to] = [Math.min(at(a), at(b)), Math.max(at(a), at(b))];
            const ranges = { [spec.name]: range(from, to, isLog && from > 0 ? "log" : "linear") };
            const given = { parameters: { [spec.name]: at(c) }, choices: {} };
            for (const point of samplePoints(searchSpace(specsOf(name), { given, ranges }), 5, 1n)) {
              expect(point.parameters[spec.name]).toBeGreaterThanOrEqual(from);
              expect(point.parameters[spec.name]).toBeLessThanOrEqual(to);
            }
          }),
          { numRuns: 10 },
        );
      }
    }
  });

  it("of more are those of fewer and some", () => {
    const dimensions: Dimension[] = [{ kind: "number", name: "l2", scale: "log", from: 1e-4, to: 1e4 }];
    const points = samplePoints({ dimensions, given: nothing }, 30, 5n);
    expect(samplePoints({ dimensions, given: nothing }, 10, 5n)).toEqual(points.slice(0, 10));
  });

  it("by powers are spread over the powers, not over the numbers", () => {
    const dimensions: Dimension[] = [{ kind: "number", name: "l2", scale: "log", from: 1e-4, to: 1e4 }];
    const drawn = samplePoints({ dimensions, given: nothing }, 200, 5n).flatMap((p) => p.parameters.l2 ?? []);
    // A person can write them down: four digits are all there are.
    expect(drawn.map((value) => Number(value.toPrecision(4)))).toEqual(drawn);
    const below = drawn.filter((value) => value < 1).length;
    expect(below / drawn.length).toBeGreaterThan(0.35);
    expect(below / drawn.length).toBeLessThan(0.65);
  });
});

function isInside(
  d: Dimension,
  point: { parameters: Readonly<Record<string, number>>; choices: Readonly<Record<string, string>> },
) {
  if (d.kind === "words") return d.words.includes(point.choices[d.name] ?? "missing");
  const value = point.parameters[d.name] ?? Number.NaN;
  return value >= d.from && value <= d.to && (d.kind === "number" || Number.isInteger(value));
}
