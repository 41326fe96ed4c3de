import { AimassError } from "@aimass/core";
import fc from "fast-check";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import type { TrainingTable } from "../../table/training-table.ts";
import { linearRecipe } from "./linear-recipe.ts";

type Row = readonly number[];

/** Rows of features with the target last. */
function tableOf(rows: readonly Row[], features: readonly string[]): TrainingTable {
  return {
    features,
    target: "y",
    rowCount: rows.length,
    async *rows() {
      for (const row of rows) {
        yield { values: Float64Array.from(row.slice(0, -1), Math.fround), target: row.at(-1) as number };
      }
    },
  };
}

async function fit(rows: readonly Row[], options: { l2?: number; features?: readonly string[] } = {}) {
  const lines: string[] = [];
  const features = options.features ?? (rows[0] as Row).slice(0, -1).map((_, j) => `f${j}`);
  const model = await linearRecipe.fit({
    table: tableOf(rows, features),
    parameters: { l2: options.l2 ?? 0 },
    report: { progress() {}, log: (line) => lines.push(line) },
    signal: new AbortController().signal,
  });
  return { model, lines, predict: (...values: number[]) => model.predict(Float64Array.from(values)) };
}

describe("the linear recipe", () => {
  it("finds the plane that the points lie on", async () => {
    const points = [
      [1, 2],
      [3, -1],
      [0, 0],
      [5, 7],
      [-2, 4],
    ].map(([a = 0, b = 0]) => [a, b, 3 * a - 2 * b + 10]);
    const { predict } = await fit(points);
    expect(predict(100, -50)).toBeCloseTo(410, 8);
  });

  it("keeps its digits when means are large and spreads small", async () => {
    const rows = Array.from({ length: 50 }, (_, i) => [
      1_000_000 + i,
      2_000_000 + ((i * 7) % 13),
      5 * i - 3 * ((i * 7) % 13),
    ]);
    const { predict } = await fit(rows);
    expect(predict(1_000_010, 2_000_005)).toBeCloseTo(35, 5);
  });

  it("agrees with ridge regression worked out by hand", async () => {
    // x standardised is (−1, 1), y centred (−1, 1): w = (ZᵀZ + l2)⁻¹ Zᵀy = 2 / (2 + 2).
    const { predict } = await fit(
      [
        [0, 0],
        [2, 2],
      ],
      { l2: 2 },
    );
    expect(predict(0)).toBeCloseTo(0.5, 12);
    expect(predict(2)).toBeCloseTo(1.5, 12);
  });

  it("gives a constant column weight 0 and says so by name", async () => {
    const { predict, lines } = await fit(
      [
        [1, 7, 1],
        [2, 7, 2],
        [4, 7, 4],
      ],
      { features: ["a", "always"] },
    );
    expect(predict(3, 999)).toBeCloseTo(3, 10);
    expect(lines.join("\n")).toContain('"always" is 7 in every training row');
  });

  it("names the column that is a combination of others, unless l2 settles it", async () => {
    const rows = [1, 2, 3, 4, 7].map((a) => [a, a * a, 2 * a, a]);
    const features = ["a", "square", "double"];
    const failure = await fit(rows, { features }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AimassError);
    expect((failure as AimassError).message).toBe('The column "double" is a combination of the columns before it.');
    await expect(fit(rows, { features, l2: 0.1 })).resolves.toBeDefined();
  });

  it("serves from its graph what it predicts itself, whatever it was trained on", async () => {
    const cell = fc.double({ min: -1e4, max: 1e4, noNaN: true });
    const shape = fc.integer({ min: 1, max: 6 }).chain((p) =>
      fc.record({
        rows: fc.array(fc.array(cell, { minLength: p + 1, maxLength: p + 1 }), { minLength: 3, maxLength: 30 }),
        l2: fc.double({ min: 0.01, max: 100, noNaN: true }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(shape, async ({ rows, l2 }) => {
        const { model } = await fit(rows, { l2 });
        const p = (rows[0] as Row).length - 1;
        const x = Float32Array.from(rows.flatMap((row) => row.slice(0, p)));
        const session = await InferenceSession.create(model.toOnnx());
        const { y = expect.fail() } = await session.run({ x: new Tensor("float32", x, [rows.length, p]) });
        await session.release();
        expect(y.dims).toEqual([rows.length, 1]);
        for (const [i] of rows.entries()) {
          const own = model.predict(Float64Array.from(x.subarray(i * p, i * p + p)));
          const served = (y.data as Float32Array)[i] as number;
          expect(Math.abs(served - own)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(own)));
        }
      }),
      { numRuns: 40 },
    );
  });

  it("makes the same bytes again from the same rows", async () => {
    const rows = [
      [1, 2],
      [2, 3],
      [5, 9],
    ];
    expect((await fit(rows)).model.toOnnx()).toEqual((await fit(rows)).model.toOnnx());
  });
});
