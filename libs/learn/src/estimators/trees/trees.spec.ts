import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DenseMatrix } from "../../matrix.ts";
import { Pacer } from "../../pacer.ts";
import type { Json } from "../../packed-array.ts";
import { Random } from "../../random.ts";
import { numericRows, rowsInMemory } from "../row-passes.ts";
import { classes, dense, drawn, numbers } from "../testing/data.ts";
import { serve } from "../testing/serve.ts";
import { binRows, learnCuts, missingBin } from "./binned-matrix.ts";
import { chooseCuts } from "./cuts.ts";
import {
  decisionTreeClassifier,
  decisionTreeRegressor,
  randomForestClassifier,
  randomForestRegressor,
} from "./forests.ts";
import { gradientBoostingClassifier, gradientBoostingRegressor } from "./gradient-boosting.ts";
import { sortFloats } from "./radix-sort.ts";
import type { TreeEnsemble } from "./tree-ensemble.ts";

const random = () => new Random(1);
async function binned(x: DenseMatrix) {
  const rows = rowsInMemory(x, numbers(...new Float64Array(x.rows)));
  const passes = numericRows({ name: "test", missing: true }, rows, { random: random() });
  const pacer = new Pacer();
  const cuts = await learnCuts(passes, { random: random(), pacer, missing: missingBin });
  return binRows(passes, { pacer, cuts, missing: missingBin, bins: new Uint8Array(x.rows * x.cols) });
}

const anyFloat = fc.float({ noNaN: true, noDefaultInfinity: true });

describe("sorting by radix", () => {
  it("sorts like comparing does, from the least to the largest number", () => {
    fc.assert(
      fc.property(fc.array(anyFloat, { minLength: 256, maxLength: 600 }), (values) => {
        const sorted = Float32Array.from(values);
        sortFloats(sorted);
        expect([...sorted].map((v) => v + 0)).toEqual(
          [...Float32Array.from(values)].map((v) => v + 0).sort((a, b) => a - b),
        );
      }),
    );
  });
});

describe("bins", () => {
  it("part rows exactly as their thresholds do, whatever the values", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyFloat, { minLength: 1, maxLength: 700 }), async (values) => {
        const x = dense(values.map((value) => [value]));
        const { bins, cuts } = await binned(x);
        const cut = cuts[0]!;
        for (const [r, value] of x.data.entries()) {
          expect(bins[r]).toBe(cut.findIndex((c) => value <= c) < 0 ? cut.length : cut.findIndex((c) => value <= c));
        }
      }),
    );
  });

  it("keep a few different values apart and cut many into as many bins as there are", () => {
    expect([...chooseCuts(Float32Array.of(1, 1, 2, 4), 254)]).toEqual([1.5, 3]);
    expect(
      chooseCuts(
        Float32Array.from({ length: 5000 }, (_, i) => i),
        254,
      ).length,
    ).toBe(254);
  });

  it("divide no values that may be one in serving, and are near to none that there may be", () => {
    const grey = (value: number, off = 0) => value / 255 + off * 2 ** -24;
    const pixels = Float32Array.of(grey(50, -1), grey(50), grey(50, 1), grey(52), grey(52, 1));
    expect(chooseCuts(pixels, 254)).toHaveLength(4);
    const [cut = 0, ...others] = chooseCuts(pixels, 254, 2 ** -20);
    expect(others).toEqual([]);
    for (const value of [50, 51, 52]) expect(Math.abs(cut - grey(value))).toBeGreaterThan(2 ** -18);
    const many = Float32Array.from({ length: 6000 }, (_, i) => grey(i % 1000, i % 3));
    const quantiles = [...chooseCuts(many.sort(), 100, 2 ** -20)];
    expect(quantiles).toHaveLength(100);
    for (const at of quantiles)
      for (let i = 0; i < 1000; i += 1) expect(Math.abs(at - grey(i))).toBeGreaterThan(2 ** -20);
  });

  it("put missing cells into a bin of their own", async () => {
    const x = dense([[1], [Number.NaN], [2]]);
    expect([...(await binned(x)).bins]).toEqual([0, missingBin, 1]);
  });
});

describe("a decision tree", () => {
  it("finds the threshold between two groups", async () => {
    const x = dense([[1], [2], [8], [9]]);
    const { parts } = (await decisionTreeRegressor.fit(x, numbers(5, 5, 7, 7), { random: random() })) as TreeEnsemble;
    const [tree] = parts.trees;
    expect(tree?.threshold[0]).toBe(5);
    expect([tree?.values[tree.left[0]!], tree?.values[tree.right[0]!]]).toEqual([5, 7]);
  });

  it("repeats training rows that differ without an error", async () => {
    const { x, classes: y } = drawn({ seed: 1, rows: 200, cols: 3, classes: 4 });
    const said = (await decisionTreeClassifier.fit(x, y, { random: random() })).predict(x);
    expect(said.kind === "classes" && said.indices).toEqual(y.indices);
  });

  it("learns that being missing says something", async () => {
    const gap = Number.NaN;
    const x = dense([[1], [gap], [2], [gap], [3], [gap]]);
    const y = classes([0, 1, 0, 1, 0, 1]);
    const fitted = await decisionTreeClassifier.fit(x, y, { random: random() });
    const said = fitted.predict(x);
    expect(said.kind === "classes" && said.indices).toEqual(y.indices);
    expect((await serve(fitted, x)).label).toEqual(["a", "b", "a", "b", "a", "b"]);
  });

  it("keeps to its limits", async () => {
    const { x, numbers: y } = drawn({ seed: 2, rows: 300, cols: 3, classes: 2 });
    const fit = async (parameters: Record<string, number>) =>
      ((await decisionTreeRegressor.fit(x, y, { random: random(), parameters })) as TreeEnsemble).parts.trees[0]!;
    const shallow = await fit({ maxDepth: 2 });
    expect(shallow.feature.filter((feature) => feature < 0).length).toBe(4);
    const wide = await fit({ minRowsPerLeaf: 40 });
    expect(wide.feature.filter((feature) => feature < 0).length).toBeLessThanOrEqual(300 / 40);
  });
});

describe("a random forest", () => {
  it("answers with labels that are whole numbers, as they were given", async () => {
    const { x, classes: y } = drawn({ seed: 3, rows: 80, cols: 3, classes: 3 });
    const labels = { datatype: "INT64" as const, values: [-5n, 7n, 2n ** 60n] };
    const fitted = await randomForestClassifier.fit(
      x,
      { ...y, labels },
      { random: random(), parameters: { trees: 5 } },
    );
    const { label = [] } = await serve(fitted, x);
    const right = label.filter((value, r) => value === labels.values[y.indices[r]!]).length;
    expect(right).toBeGreaterThan(70);
  });

  it("makes the same trees in the same order with two threads as with one, from a checkpoint too", async () => {
    const { x, classes: y } = drawn({ seed: 6, rows: 20_000, cols: 6, classes: 3, missing: 0.1 });
    const parameters = { trees: 18, maxDepth: 6 };
    const checkpoints: Json[] = [];
    const onCheckpoint = (json: Json) => checkpoints.push(structuredClone(json));
    const fit = async (more: object) =>
      (await randomForestClassifier.fit(x, y, { random: random(), parameters, ...more })).toJson();
    const alone = await fit({ threads: 1, onCheckpoint, checkpointEveryMs: 0 });
    expect(await fit({ threads: 2 })).toEqual(alone);
    expect(await fit({ threads: 2, resume: checkpoints[9] })).toEqual(alone);
  });

  it("ends with the signal's reason when it is cancelled while threads work", async () => {
    const { x, numbers: y } = drawn({ seed: 7, rows: 20_000, cols: 8, classes: 2 });
    const abort = new AbortController();
    const work = randomForestRegressor.fit(x, y, {
      random: random(),
      threads: 2,
      signal: abort.signal,
      onProgress: () => abort.abort(new Error("Enough.")),
    });
    await expect(work).rejects.toThrow("Enough.");
  });
});

describe("gradient boosting", () => {
  it("takes a whole step to the mean of each leaf when it learns at rate 1", async () => {
    const x = dense([[0], [0], [1], [1]]);
    const parameters = { iterations: 1, learningRate: 1, minRowsPerLeaf: 1 };
    const fitted = await gradientBoostingRegressor.fit(x, numbers(1, 3, 6, 8), { random: random(), parameters });
    const said = fitted.predict(x);
    expect(said.kind === "numbers" && [...said.values]).toEqual([2, 2, 7, 7]);
  });

  it("shrinks leaves by l2 as worked out by hand: −G / (H + l2)", async () => {
    const parameters = { iterations: 1, learningRate: 1, minRowsPerLeaf: 1, l2: 2 };
    const x = dense([[0], [0], [1], [1]]);
    const fitted = await gradientBoostingRegressor.fit(x, numbers(1, 3, 6, 8), { random: random(), parameters });
    const said = fitted.predict(x);
    expect(said.kind === "numbers" && [...said.values]).toEqual([3.25, 3.25, 5.75, 5.75]);
  });

  it("sends missing values where they lower the loss", async () => {
    const rows = Array.from({ length: 100 }, (_, r) => [r % 2 === 0 ? r : Number.NaN]);
    const y = numbers(...rows.map((_, r) => (r % 2 === 0 ? 0 : 10)));
    const parameters = { iterations: 30, learningRate: 0.5 };
    const fitted = await gradientBoostingRegressor.fit(dense(rows), y, { random: random(), parameters });
    const said = fitted.predict(dense([[50], [Number.NaN]]));
    expect(said.kind === "numbers" && said.values[0]).toBeCloseTo(0, 4);
    expect(said.kind === "numbers" && said.values[1]).toBeCloseTo(10, 4);
  });

  it("learns many classes of a few rows each, though its first steps go too wide, and says so", async () => {
    const random = new Random(3);
    const many = 150;
    const indices = Array.from({ length: many * 4 }, (_, i) => i % many);
    const x = dense(indices.map((own) => [own + 0.1 * random.next(), (own * 37) % 101, random.next()]));
    const y = classes(indices, many);
    const [losses, warnings]: [number[], string[]] = [[], []];
    const parameters = { iterations: 15, minRowsPerLeaf: 4 };
    const fitted = await gradientBoostingClassifier.fit(x, y, {
      random: new Random(1),
      parameters: { ...parameters, learningRate: 0.3 },
      onProgress: (_step, _steps, loss) => losses.push(loss),
      onWarning: (sentence) => warnings.push(sentence),
    });
    expect(Math.max(...losses)).toBeLessThanOrEqual(Math.log(many) + 1e-9);
    const { indices: found } = fitted.predict(x) as { indices: Int32Array };
    expect(found.filter((own, r) => own === indices[r]).length / indices.length).toBeGreaterThan(0.5);
    expect(warnings).toEqual([expect.stringMatching(/rose above that of guessing.*learnt with 1/)]);
  });

  it("ends early when rows held back are not predicted better, and keeps the best trees", async () => {
    const numbersOf = new Random(4);
    const rows = Array.from({ length: 10_000 }, () => [numbersOf.normal(), numbersOf.normal()]);
    const y = classes(rows.map(([a = 0]) => (a + 2 * numbersOf.normal() > 0 ? 1 : 0)));
    const steps: number[] = [];
    const fitted = (await gradientBoostingClassifier.fit(dense(rows), y, {
      random: random(),
      parameters: { iterations: 400, patience: 5 },
      onProgress: (step) => steps.push(step),
    })) as TreeEnsemble;
    expect(steps.length).toBeLessThan(200);
    expect(fitted.parts.trees.length).toBe(steps.length - 5);
  });

  it("makes the same model with two threads as with one", async () => {
    const { x, classes: y } = drawn({ seed: 5, rows: 30_000, cols: 7, classes: 3, missing: 0.1 });
    const fit = (threads: number) =>
      gradientBoostingClassifier.fit(x, y, { random: random(), threads, parameters: { iterations: 5 } });
    expect((await fit(2)).toJson()).toEqual((await fit(1)).toJson());
  });
});
