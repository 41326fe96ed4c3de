import fc from "fast-check";
import type { InferenceSession } from "onnxruntime-node";
import { beforeAll, describe, expect, it } from "vitest";
import { readModel } from "../model-file.ts";
import { loadRuntime, quietSession, type Runtime } from "../probe/runtime.ts";
import { seededNumbers } from "../probe/trial-inputs.ts";
import { analyseRows } from "./row-analysis.ts";
import { ints } from "./testing/common.ts";
import { Sketch } from "./testing/sketch.ts";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await loadRuntime();
});

/** A step from a value [rows, 6] to another: those that keep rows apart, and those that couple them. */
type Step = (g: Sketch, value: string) => string;

const keeping: readonly Step[] = [
  (g, v) => g.do("Tanh", [v]),
  (g, v) => g.do("Add", [v, g.weights(6)]),
  (g, v) => g.do("Mul", [g.weights(1, 6), v]),
  (g, v) => g.do("MatMul", [v, g.weights(6, 6)]),
  (g, v) => g.do("Transpose", [g.do("MatMul", [g.weights(6, 6), g.do("Transpose", [v])])]),
  (g, v) => g.do("Softmax", [v]),
  (g, v) => g.do("CumSum", [v, g.int(-1)]),
  (g, v) => g.do("Sub", [v, g.do("ReduceMean", [v], { axes: ints(1) })]),
  (g, v) => g.do("Reshape", [g.do("Softmax", [g.do("Reshape", [v, g.ints(-1, 3)])]), g.ints(-1, 6)]),
  (g, v) =>
    g.do("Reshape", [
      g.do("Transpose", [g.do("Reshape", [v, g.ints(0, 2, 3)])], { perm: ints(0, 2, 1) }),
      g.ints(0, 6),
    ]),
  (g, v) => {
    const x = g.do("Reshape", [v, g.ints(0, 2, 3)]);
    return g.do("Reshape", [
      g.do("MatMul", [g.do("MatMul", [x, g.do("Transpose", [x], { perm: ints(0, 2, 1) })]), x]),
      g.ints(0, -1),
    ]);
  },
  (g, v) =>
    g.do(
      "Concat",
      [g.do("Slice", [v, g.ints(3), g.ints(6), g.ints(1)]), g.do("Slice", [v, g.ints(0), g.ints(3), g.ints(1)])],
      { axis: { int: 1 } },
    ),
  (g, v) => g.do("Gather", [v, g.ints(5, 0, 1, 4, 2, 3)], { axis: { int: 1 } }),
  (g, v) => g.do("Gather", [g.weights(6, 6), g.do("ArgMax", [v], { axis: { int: 1 }, keepdims: { int: 0 } })]),
  (g, v) => g.do("Add", [v, g.do("Expand", [g.weights(1, 6), g.do("Shape", [v])])]),
  (g, v) => g.do("LayerNormalization", [v, g.weights(6), g.weights(6)]),
  (g, v) => g.do("Where", [g.do("Greater", [v, g.scalar(0)]), v, g.do("Neg", [v])]),
  (g, v) => g.do("Tile", [g.do("ReduceMax", [v], { axes: ints(-1) }), g.ints(1, 6)]),
  (g, v) => {
    const t = g.do("Reshape", [
      g.do("Transpose", [g.do("Reshape", [v, g.ints(0, 2, 3)])], { perm: ints(1, 0, 2) }),
      g.ints(2, -1, 3),
    ]);
    return g.do("Reshape", [g.do("Transpose", [g.do("Relu", [t])], { perm: ints(1, 0, 2) }), g.ints(-1, 6)]);
  },
];

const couplers: readonly Step[] = [
  (g, v) => g.do("Sub", [v, g.do("ReduceMean", [v], { axes: ints(0) })]),
  (g, v) => g.do("CumSum", [v, g.int(0)]),
  (g, v) => g.do("Softmax", [v], { axis: { int: 0 } }),
  (g, v) => g.do("Add", [v, g.do("ReduceSum", [v])]),
  (g, v) => {
    const [q, s, z] = g.many("DynamicQuantizeLinear", [v], 3) as [string, string, string];
    return g.do("DequantizeLinear", [q, s, z]);
  },
  (g, v) => g.do("Slice", [v, g.ints(-1), g.ints(-(2 ** 31)), g.ints(0), g.ints(-1)]),
  (g, v) => g.do("MatMul", [g.do("Softmax", [g.do("MatMul", [v, g.do("Transpose", [v])])]), v]),
  (g, v) => g.do("Transpose", [g.do("Reshape", [v, g.ints(6, -1)])]),
  (g, v) => g.do("Add", [v, g.do("Slice", [v, g.ints(0), g.ints(1), g.ints(0)])]),
];

const anyKeeping = fc.array(fc.nat(keeping.length - 1), { minLength: 1, maxLength: 6 });

describe("random graphs", () => {
  it("that are proven give the same answers to rows together as to each alone, on ONNX Runtime", async () => {
    const property = fc.asyncProperty(
      anyKeeping,
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 4 }),
      fc.nat(),
      async (steps, requests, seed) => {
        const model = modelOf(steps.map((index) => keeping[index] as Step));
        expect(analyseRows(readModel(model))).toMatchObject({ proven: true });
        const session = await runtime.InferenceSession.create(model, quietSession);
        const random = seededNumbers(seed);
        const rows = requests.map((count) =>
          Float32Array.from({ length: count * 6 }, () => (random() - 0.5) * (random() < 0.2 ? 100 : 2)),
        );
        const together = await answer(session, Float32Array.from(rows.flatMap((part) => [...part])));
        let at = 0;
        for (const part of rows) {
          const alone = await answer(session, part);
          const own = together.slice(at, at + alone.length);
          at += alone.length;
          for (const [index, value] of alone.entries())
            expect(Math.abs(value - (own[index] as number))).toBeLessThanOrEqual(2e-4 * Math.max(1, Math.abs(value)));
        }
        expect(at).toBe(together.length);
        await session.release();
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  it("that couple rows anywhere are not proven", () => {
    fc.assert(
      fc.property(anyKeeping, fc.nat(couplers.length - 1), anyKeeping, (before, coupler, after) => {
        const pick = (indices: readonly number[]) => indices.map((index) => keeping[index] as Step);
        const model = modelOf([...pick(before), couplers[coupler] as Step, ...pick(after)]);
        expect(analyseRows(readModel(model))).toMatchObject({ proven: false });
      }),
      { numRuns: 300 },
    );
  });
});

function modelOf(steps: readonly Step[]): Uint8Array {
  const g = new Sketch();
  return g.bytes(
    steps.reduce((value, step) => step(g, value), g.x(["N", 6])),
    "FP32",
    ["N", 6],
  );
}

async function answer(session: InferenceSession, elements: Float32Array): Promise<Float32Array> {
  const { y } = await session.run({ x: new runtime.Tensor("float32", elements, [elements.length / 6, 6]) });
  return y?.data as Float32Array;
}
