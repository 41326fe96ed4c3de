import { GraphBuilder } from "@aimass/onnx";
import { describe, expect, it } from "vitest";
import { FeatureFit, fitFeatures } from "./feature-fit.ts";
import { featureGraphOptions } from "./feature-graph.ts";
import type { Features } from "./features.ts";
import type { FeaturePlan, FeatureSpec } from "./plan.ts";
import { batchOf, elementsOf, numbers, ServedFeatures, skew, strings } from "./testing.ts";

const x = { name: "x", type: "number" as const };
const colour = { name: "colour", type: "string" as const };
const text = { name: "text", type: "string" as const };

function fitted(plan: FeaturePlan, ...batches: ReturnType<typeof batchOf>[]): Features {
  const fit = new FeatureFit(plan);
  for (const batch of batches) fit.add(batch);
  return fit.finish();
}

function rowsOf(features: Features, batch: ReturnType<typeof batchOf>): number[][] {
  const all = elementsOf(features.transform(batch));
  return Array.from({ length: batch.rows }, (_, row) =>
    [...all.subarray(row * features.cols, (row + 1) * features.cols)].map((value) => Math.round(value * 1e4) / 1e4),
  );
}

describe("numbers", () => {
  const batch = batchOf({ x: numbers([1, 2, undefined, 6, 7]) });
  const one = (spec: Partial<FeatureSpec>) =>
    rowsOf(fitted({ columns: [x], features: [{ kind: "number", column: "x", ...spec } as FeatureSpec] }, batch), batch);

  it("are imputed, scaled, and missing ones flagged", () => {
    expect(one({ scale: "none" })).toEqual([
      [1, 0],
      [2, 0],
      [4, 1],
      [6, 0],
      [7, 0],
    ]);
    expect(one({ scale: "minMax", indicator: false })).toEqual([[0], [0.1667], [0.5], [0.8333], [1]]);
    expect(one({ scale: "robust", impute: { constant: 9 }, indicator: false })).toEqual([
      [-0.6667],
      [-0.4444],
      [1.1111],
      [0.4444],
      [0.6667],
    ]);
    const deviation = Math.sqrt((9 + 4 + 4 + 9) / 4);
    expect(one({ impute: "mean", indicator: false })[0]?.[0]).toBeCloseTo(-3 / deviation, 4);
  });

  it("with quartiles side by side and far outliers stay within FP32", async () => {
    const values = [1e6, -1e6, ...Array.from({ length: 40 }, (_, i) => i * 1e-40)];
    const far = batchOf({ x: numbers(values) });
    const spec = { kind: "number", column: "x", scale: "robust", indicator: false } as const;
    const features = fitted({ columns: [x], features: [spec] }, far);
    expect(rowsOf(features, far).flat().slice(0, 2)).toEqual([1, -1]);
    expect(await skew(features, far)).toEqual([]);
  });

  it("that are all missing or all the same are zero, not infinite", async () => {
    for (const values of [[undefined, undefined], [1e8 + 1, 1e8 + 1], [5], [1e-42, 1e-42]]) {
      const same = batchOf({ x: numbers(values) });
      const features = fitted({ columns: [x], features: [{ kind: "number", column: "x", indicator: false }] }, same);
      expect(
        rowsOf(features, same)
          .flat()
          .every((value) => value === 0),
      ).toBe(true);
      expect(await skew(features, batchOf({ x: numbers([1, -3, undefined]) }))).toEqual([]);
    }
  });
});

describe("categories", () => {
  it("have a feature each, rare and unknown ones share one, missing is one", () => {
    const batch = batchOf({ colour: strings(["red", "red", "blue", "blue", "blue", "mauve", undefined]) });
    const features = fitted({ columns: [colour], features: [{ kind: "oneHot", column: "colour" }] }, batch);
    expect(features.featureNames).toEqual(["colour=blue", "colour=red", "colour=missing", "colour=other"]);
    const seen = rowsOf(features, batchOf({ colour: strings(["red", "mauve", "never seen", "", undefined]) }));
    expect(seen).toEqual([
      [0, 1, 0, 0],
      [0, 0, 0, 1],
      [0, 0, 0, 1],
      [0, 0, 1, 0],
      [0, 0, 1, 0],
    ]);
  });

  it("a hundred thousand of them are hashed or cut, and served alike", async () => {
    const values = Array.from({ length: 100_000 }, (_, i) => `user-${i}`);
    const batch = batchOf({ colour: strings([...values, ...values.slice(0, 300), ...values.slice(0, 300)]) });
    const features = fitted(
      {
        columns: [colour],
        features: [
          { kind: "hash", column: "colour", bins: 512 },
          { kind: "oneHot", column: "colour" },
        ],
      },
      batch,
    );
    expect(features.cols).toBe(513 + 201);
    expect(features.layout).toBe("sparse");
    expect(features.baseline[0]).toMatchObject({ kind: "category", distinct: 100_000, count: 100_600 });
    expect(await skew(features, batchOf({ colour: strings([...values.slice(0, 200), "stranger", ""]) }))).toEqual([]);
  });

  it("cross into pairs", () => {
    const batch = batchOf({ colour: strings(["red", "red", "blue", "blue"]), x: numbers([1, 9, 1, 9]) });
    const features = fitted(
      {
        columns: [colour, x],
        features: [
          {
            kind: "cross",
            of: [
              { kind: "oneHot", column: "colour" },
              { kind: "bucket", column: "x", edges: [5] },
            ],
          },
        ],
      },
      batch,
    );
    const set = rowsOf(features, batch).map((row) => features.featureNames[row.indexOf(1)]);
    expect(set).toEqual(["colour=red&x=<5", "colour=red&x=>=5", "colour=blue&x=<5", "colour=blue&x=>=5"]);
  });
});

describe("texts", () => {
  const plan = (spec: object): FeaturePlan => ({
    columns: [text],
    features: [{ kind: "text", column: "text", ...spec } as FeatureSpec],
  });
  const of = (...texts: string[]) => batchOf({ text: strings(texts) });

  it("weigh terms as TF-IDF says", () => {
    const batch = of("The cat sat", "the dog, the dog", "");
    const features = fitted(plan({ norm: "none" }), batch);
    expect(features.featureNames).toEqual(["text:cat", "text:dog", "text:sat", "text:the"]);
    const [rare, common] = [Math.log(4 / 2) + 1, Math.log(4 / 3) + 1].map(
      (weight) => Math.round(weight * 1e4) / 1e4,
    ) as [number, number];
    expect(rowsOf(features, batch)).toEqual([
      [rare, 0, rare, common],
      [0, expect.closeTo(2 * rare, 3), 0, expect.closeTo(2 * common, 3)],
      [0, 0, 0, 0],
    ]);
    const [first] = rowsOf(fitted(plan({}), batch), batch) as [number[]];
    expect(Math.hypot(...first)).toBeCloseTo(1, 3);
  });

  it("have words, characters of Chinese and emoji as tokens, in sequences that stop words end", () => {
    const names = (spec: object, ...texts: string[]) =>
      fitted(plan(spec), of(...texts)).featureNames.map((name) => name.slice(5));
    expect(names({}, "ＡＢＣ naïve 我爱你 👍🏽 x")).toEqual(["abc", "naïve", "你", "我", "爱", "🏽", "👍"].sort());
    expect(names({ ngrams: [2, 2] }, "我爱你")).toEqual(["我 爱", "爱 你"]);
    expect(names({ ngrams: [1, 2], stopWords: ["of"] }, "state of the art")).toEqual([
      "art",
      "state",
      "the",
      "the art",
    ]);
    expect(names({ analyzer: "characters", ngrams: [2, 2] }, "aB  c")).toEqual([" c", "ab", "b "]);
    expect(names({ accents: "strip" }, "Café CAFE\u0301")).toEqual(["cafe"]);
  });

  it("keep the terms in most texts, within limits", () => {
    const batch = of("aa bb cc", "aa bb", "aa dd");
    const names = (spec: object) => fitted(plan(spec), batch).featureNames.map((name) => name.slice(5));
    expect(names({ maxTerms: 2 })).toEqual(["aa", "bb"]);
    expect(names({ minDocuments: 2, maxDocumentShare: 0.9 })).toEqual(["bb"]);
  });

  it("without any word leave nothing to learn from", () => {
    expect(() => fitted(plan({}), of("", "?!", " "))).toThrow("no feature has a value");
  });

  it("full of emoji have features and are served alike", async () => {
    const faces = Array.from({ length: 80 }, (_, i) => String.fromCodePoint(0x1f600 + i)).join("");
    const batch = of(faces, `${faces.slice(10, 20)}👨‍👩‍👧‍👦🇫🇷`, "❤️❤️");
    const features = fitted(plan({ ngrams: [1, 2] }), batch);
    expect(features.cols).toBeGreaterThan(160);
    expect(await skew(features, batch)).toEqual([]);
  });
});

describe("data and plans that do not fit", () => {
  const plan: FeaturePlan = {
    columns: [x, colour],
    features: [
      { kind: "number", column: "x" },
      { kind: "oneHot", column: "colour" },
    ],
  };
  const good = batchOf({ x: numbers([1, 2]), colour: strings(["a", "b"]) });

  it("name the column and the row", () => {
    const features = fitted(plan, good);
    expect(() => features.transform(batchOf({ x: numbers([1]) }))).toThrow('The data have no column "colour".');
    expect(() => features.transform(batchOf({ x: strings(["1"]), colour: strings(["a"]) }))).toThrow(
      'Column "x" holds string values',
    );
    expect(() => features.transform(batchOf({ x: numbers([1, 2]), colour: strings(["a"]) }))).toThrow(
      'Column "colour" has 1 values in a batch of 2 rows.',
    );
    const odd = batchOf({ x: numbers([1, 2]), colour: strings(["a", 7 as never]) }, 500);
    expect(() => features.transform(odd)).toThrow('Column "colour", row 502, is not a string.');
  });

  it("are refused before the first row", async () => {
    const refused =
      (features: FeatureSpec[], columns = plan.columns) =>
      () =>
        new FeatureFit({ columns, features });
    expect(refused([])).toThrow("no features");
    expect(refused([{ kind: "number", column: "z" }])).toThrow('do not have "z"');
    expect(refused([{ kind: "text", column: "x" }])).toThrow('Column "x" holds number values; text needs string.');
    expect(refused([{ kind: "bucket", column: "x", edges: [2, 1] }])).toThrow("ascend");
    expect(refused([{ kind: "hash", column: "colour", bins: 0 }])).toThrow("from 1 to 1000000");
    expect(refused([{ kind: "text", column: "colour", ngrams: [2, 1] }])).toThrow("ngrams[1]");
    expect(refused([{ kind: "number", column: "x" }], [x, x])).toThrow("twice");
    await expect(fitFeatures(plan, [])).rejects.toThrow("no rows");
  });
});

describe("the graph of features", () => {
  it("asks for the columns it reads only, each by its name", async () => {
    const columns = [x, { name: "unused", type: "string" as const }, { name: "unsqueeze_1", type: "number" as const }];
    const batch = batchOf({ x: numbers([1, 2]), unused: strings(["", ""]), unsqueeze_1: numbers([3, 4]) });
    const features = fitted(
      {
        columns,
        features: [
          { kind: "number", column: "x" },
          { kind: "number", column: "unsqueeze_1" },
        ],
      },
      batch,
    );
    const { inputs } = features.addToGraph(new GraphBuilder("graph", featureGraphOptions));
    expect(inputs).toEqual([
      { name: "x", datatype: "FP32", shape: [-1] },
      { name: "unsqueeze_1", datatype: "FP32", shape: [-1] },
    ]);
    expect(await skew(features, batch)).toEqual([]);
  });

  it("has one input for a column that several features read", async () => {
    const batch = batchOf({ x: numbers([1, 2, undefined]) });
    const features = fitted(
      {
        columns: [x],
        features: [
          { kind: "bucket", column: "x" },
          { kind: "number", column: "x" },
          { kind: "oneHot", column: "x" },
        ],
      },
      batch,
    );
    expect(features.addToGraph(new GraphBuilder("graph", featureGraphOptions)).inputs).toHaveLength(1);
    expect(await skew(features, batch)).toEqual([]);
  });

  it("takes the words that mean no value for missing, whoever calls with them", async () => {
    const plan: FeaturePlan = {
      columns: [x, { name: "text", type: "string" }],
      features: [
        { kind: "number", column: "x", indicator: true },
        { kind: "bucket", column: "x" },
        { kind: "oneHot", column: "x", minCount: 1 },
        { kind: "oneHot", column: "text", minCount: 1 },
        { kind: "hash", column: "text", bins: 4 },
        { kind: "text", column: "text", analyzer: "characters" },
      ],
    };
    const words = batchOf({ x: numbers([1, 2, -999, 7]), text: strings(["red", "N/A", "NA", "none"]) });
    const gaps = batchOf({ x: numbers([1, 2, undefined, 7]), text: strings(["red", undefined, undefined, "none"]) });
    const features = fitted(
      plan,
      batchOf({ x: numbers([1, 2, undefined]), text: strings(["red", undefined, "none"]) }),
    );
    const unaware = await (await ServedFeatures.load(features)).run(words);
    const aware = await (await ServedFeatures.load(features, ["", "NA", "N/A", "-999"])).run(words);
    expect(aware).toEqual(elementsOf(features.transform(gaps)));
    expect(unaware).not.toEqual(aware);
  });
});
