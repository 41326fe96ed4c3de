import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../graph-builder.ts";
import { readModel } from "../model-file.ts";
import * as samples from "../samples.ts";
import { analyseRows } from "./row-analysis.ts";
import { lengthsCoupled } from "./testing/lengths-coupled.ts";
import { rowsApart } from "./testing/rows-apart.ts";
import { rowsCoupled } from "./testing/rows-coupled.ts";
import { Sketch } from "./testing/sketch.ts";

describe("a graph keeps rows apart", () => {
  for (const [name, build, opset] of rowsApart) {
    it(name, () => {
      const sketch = new Sketch(opset);
      expect(sketch.verdict(build(sketch))).toMatchObject({ proven: true });
    });
  }

  it("in every sample that is meant to be batched", () => {
    const models = [
      samples.tinyModel(),
      samples.mlpModel({ layers: [4, 8, 2] }),
      samples.echoModel("BYTES"),
      samples.textModel(),
      samples.textLengthModel(),
      samples.convModel(),
      samples.multiInputModel(),
      samples.softmaxModel(),
      samples.externalDataModel().model,
      samples.poisonModel(),
    ];
    expect(models.map((model) => analyseRows(readModel(model)).proven)).toEqual(models.map(() => true));
  });
});

describe("a graph couples rows, or cannot be followed", () => {
  for (const [name, build, opset, why = /./] of [...rowsCoupled, ...lengthsCoupled]) {
    it(name, () => {
      const sketch = new Sketch(opset);
      const verdict = sketch.verdict(build(sketch));
      expect(verdict).toMatchObject({ proven: false });
      expect(verdict.reason).toMatch(why);
    });
  }

  it("says which node and operator, in one sentence", () => {
    expect(analyseRows(readModel(samples.batchMixingModel()))).toEqual({
      proven: false,
      reason: 'The node "ReduceMean_0" (ReduceMean) works along the axis of the rows.',
    });
  });

  it("when an input or an output has no axis of rows", () => {
    const fixed = (shape: number[]) => {
      const g = new Sketch();
      return g.verdict(g.do("Relu", [g.x(shape)])).reason;
    };
    expect(fixed([1, 4])).toBe('Axis 0 of the input "x" is fixed.');
    expect(fixed([])).toBe('The input "x" has no axes.');
    const g = new Sketch();
    g.x();
    expect(g.verdict(g.do("Relu", [g.weights(1, 4)])).reason).toMatch(/output "y" has no rows/);
    expect(new Sketch().verdict("nothing").reason).toBe("The model takes no inputs.");
  });

  it("however a file tries to keep the analysis busy", () => {
    const g = new Sketch();
    let size = g.do("Shape", [g.x(["N", "L"])]);
    for (let i = 0; i < 200; i += 1) size = g.do("Mul", [size, size]);
    expect(g.verdict(g.do("Reshape", ["x", size])).proven).toBe(false);
    const nested = new Sketch();
    const x = nested.x(["N"]);
    const loop = (depth: number): ReturnType<GraphBuilder["toGraph"]> => {
      const b = new GraphBuilder(`b${depth}`, { prefix: `b${depth}_` });
      b.input(`i${depth}`, "INT64", []);
      b.input(`c${depth}`, "BOOL", []);
      b.input(`s${depth}`, "FP32", ["N"]);
      b.output(b.node("Identity", [`c${depth}`]), "BOOL", []);
      b.output(
        depth === 0
          ? b.node("Tanh", [`s${depth}`])
          : b.node("Loop", ["three", "", `s${depth}`], { body: { graph: loop(depth - 1) } }),
        "FP32",
        ["N"],
      );
      return b.toGraph();
    };
    nested.builder.constant("three", "INT64", [], BigInt64Array.of(3n));
    const startedAt = performance.now();
    nested.verdict(nested.do("Loop", ["three", "", x], { body: { graph: loop(20) } }));
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});
