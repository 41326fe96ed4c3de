import type { AimassError } from "@aimass/core";
import type { Batch, ClassLabels } from "@aimass/learn";
import { GraphBuilder } from "@aimass/onnx";
import { describe, expect, it } from "vitest";
import { OnnxPredictor, type OnnxPredictorOptions } from "./onnx-predictor.ts";

const batch: Batch = {
  rows: 3,
  columns: new Map([
    ["a", { type: "number", values: Float64Array.of(1, 2, Number.NaN) }],
    ["b", { type: "number", values: Float64Array.of(10, 20, 30) }],
    ["word", { type: "string", values: ["x", undefined, "z"] }],
  ]),
};
const classes: ClassLabels = { datatype: "BYTES", values: ["no", "yes"] };

type Build = (graph: GraphBuilder) => void;

function graph(build: Build): Uint8Array {
  const builder = new GraphBuilder("test", { opset: 17 });
  build(builder);
  return builder.toBytes();
}

async function predict(build: Build, options: OnnxPredictorOptions = {}) {
  await using predictor = await OnnxPredictor.open(graph(build), options);
  return await predictor.predict(batch);
}

const failure = (build: Build, options: OnnxPredictorOptions = {}) =>
  predict(build, options).then(
    () => expect.fail("it answered"),
    (error: unknown) => {
      expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "MODEL_UNFIT" });
      return (error as AimassError).message;
    },
  );

/** The sum of two columns, [N] each. */
const sum: Build = (g) => {
  const value = g.node("Add", [g.input("a", "FP32", ["N"]), g.input("b", "FP32", ["N"])]);
  g.output(value, "FP32", ["N"]);
};

/** Some outputs [N, wide] made of one input [N, 2]. */
const wide =
  (matrix: readonly number[], columns: number): Build =>
  (g) => {
    const weights = g.constant("w", "FP32", [2, columns], Float32Array.from(matrix));
    g.output(g.node("MatMul", [g.input("x", "FP32", ["N", 2]), weights]), "FP32", ["N", columns]);
  };

/** A column as an input of some type. */
const cast =
  (column: string, datatype: "INT64" | "INT32" | "BOOL"): Build =>
  (g) =>
    g.output(g.node("Cast", [g.input(column, datatype, ["N"])], { to: { int: 1 } }), "FP32", ["N"]);

describe("a model that is not the trainer's", () => {
  it("gets columns by the names of its inputs and answers a number a row", async () => {
    expect(await predict(sum)).toEqual({ kind: "numbers", values: [11, 22, Number.NaN] });
  });

  it("with one input gets the columns side by side, in their order", async () => {
    expect(await predict(wide([1, 2], 1), { columns: ["a", "b"] })).toMatchObject({ values: [21, 42, Number.NaN] });
    expect(await predict(wide([1, 2], 1), { columns: ["b", "a"] })).toMatchObject({ values: [12, 24, Number.NaN] });
  });

  it("with one wide input gets all columns, though a column has its name", async () => {
    const named: Build = (g) => {
      const weights = g.constant("w", "FP32", [2, 1], Float32Array.of(1, 2));
      g.output(g.node("MatMul", [g.input("a", "FP32", ["N", 2]), weights]), "FP32", ["N", 1]);
    };
    expect(await predict(named, { columns: ["a", "b"] })).toMatchObject({ values: [21, 42, Number.NaN] });
  });

  it("may give scores that are no probabilities, in an order of its own", async () => {
    const scored = ["yes", "maybe", "no"];
    const answer = await predict(wide([0, 0, 0, 1, 2, 0], 3), { columns: ["a", "b"], classes, scored });
    if (answer.kind !== "classes") return expect.fail();
    // The third row has a gap, and so has its every score.
    expect([...answer.indices].slice(0, 2)).toEqual([-1, -1]);
    const shares = [...(answer.probabilities ?? [])].slice(0, 2);
    expect(shares[0]).toBeLessThan(1e-6);
    expect(shares[1]).toBeCloseTo(Math.exp(-10), 6);
  });

  it("may take and give BF16, which is FP32 here as it is at a replica", async () => {
    const bfloat: Build = (g) => {
      const [a, b] = ["a", "b"].map((name) => g.node("Cast", [g.input(name, "BF16", ["N"])], { to: { int: 1 } }));
      const value = g.node("Add", [a ?? "", b ?? ""]);
      g.output(g.node("Cast", [value], { to: { int: 16 } }), "BF16", ["N"]);
    };
    expect(await predict(bfloat)).toEqual({ kind: "numbers", values: [11, 22, Number.NaN] });
  });

  it("may give labels alone, as numbers too", async () => {
    const labels: Build = (g) => {
      const value = g.node("Cast", [g.input("b", "FP32", ["N"])], { to: { int: 7 } });
      g.output(value, "INT64", ["N"]);
    };
    const known: ClassLabels = { datatype: "INT64", values: [10n, 30n] };
    expect(await predict(labels, { classes: known })).toEqual({ kind: "classes", indices: Int32Array.of(0, -1, 1) });
  });

  it("may give one score of two classes", async () => {
    const answer = await predict(wide([0, 0.01], 1), { columns: ["a", "b"], classes });
    expect(answer.kind === "classes" && [...(answer.probabilities ?? [])].slice(0, 2)).toEqual([
      expect.closeTo(0.9),
      expect.closeTo(0.1),
    ]);
  });

  it.each<[string, Build, OnnxPredictorOptions, RegExp]>([
    [
      "asks for a column that is not there",
      (g) => g.output(g.node("Identity", [g.input("z", "FP32", ["N"])]), "FP32", ["N"]),
      { columns: ["a", "b"] },
      /asks for "z", which is no column; there are a, b/,
    ],
    ["takes too many numbers", wide([1, 2], 1), { columns: ["a"] }, /takes 2 numbers a row; there is one column: a/],
    ["takes too few numbers", wide([1, 2], 1), { columns: ["a", "b", "a"] }, /takes 2 numbers .* 3 columns: a, b, a/],
    ["takes numbers where there is text", wide([1, 2], 1), { columns: ["a", "word"] }, /"word" holds text/],
    [
      "is given a column that these rows do not have",
      wide([1, 2], 1),
      { columns: ["a", "gone"] },
      /asks for "gone", which is no column; there are a, b, word/,
    ],
    ["takes whole numbers where there is a gap", cast("a", "INT64"), {}, /"a" takes whole numbers, but .* no value/],
    ["takes 32 bits where there is a gap", cast("a", "INT32"), {}, /"a" takes whole numbers .* no value there/],
    ["takes truth where there are numbers", cast("b", "BOOL"), {}, /"b" takes true or false, but a row has 10/],
    [
      "has no number for each row",
      wide([1, 2, 3, 4], 2),
      { columns: ["a", "b"] },
      /No output of the model has one number for each of 3 rows: .* \[3, 2\]/,
    ],
    [
      "has too few scores",
      wide([1, 2, 3, 4, 5, 6], 3),
      { columns: ["a", "b"], classes },
      /2 scores or a label for each of 3 rows/,
    ],
  ])("that %s is refused in a sentence", async (_, build, options, sentence) => {
    expect(await failure(build, options)).toMatch(sentence);
  });

  it("that is no model is refused", async () => {
    await expect(OnnxPredictor.open(Buffer.from("no model"))).rejects.toThrow(/The model cannot be loaded/);
  });

  it("is timed by the row", async () => {
    await using predictor = await OnnxPredictor.open(graph(sum));
    const { p50, p95 } = await predictor.latency(batch, 50);
    expect(p50).toBeGreaterThan(0);
    expect(p95).toBeGreaterThanOrEqual(p50);
  });
});
