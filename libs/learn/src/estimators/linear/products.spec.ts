import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Pacer } from "../../pacer.ts";
import { Random } from "../../random.ts";
import { numericRows, rowsInMemory } from "../row-passes.ts";
import { drawn, sparse } from "../testing/data.ts";
import { streamed } from "../testing/streamed.ts";
import { centredGram } from "./gram.ts";
import { linearScores } from "./linear-scores.ts";
import { ProductPasses } from "./products.ts";

const options = { random: new Random(1) };
const regression = { name: "regression", missing: false };

describe("scores and sums of blocks", () => {
  it("are those of a plain loop, whatever the columns, outputs and batches", async () => {
    const shape = fc.record({
      seed: fc.nat(),
      rows: fc.integer({ min: 1, max: 70 }),
      cols: fc.integer({ min: 1, max: 40 }),
      outputs: fc.integer({ min: 1, max: 13 }),
      isSparse: fc.boolean(),
      sizes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ seed, rows, cols, outputs, isSparse, sizes }) => {
        const { x, numbers } = drawn({ seed, rows, cols, classes: 1, zeros: 0.3 });
        const random = new Random(seed);
        const weights = Float64Array.from({ length: cols * outputs }, () => random.normal());
        const expected = linearScores(x, weights, new Float64Array(outputs));
        const sums = new Float64Array(cols * outputs);
        const stream = streamed(isSparse ? sparse(x) : x, numbers, sizes);
        const products = new ProductPasses(numericRows(regression, stream, options), outputs, new Pacer());
        let at = 0;
        await products.each(
          weights,
          (scores) => {
            for (const score of scores) expect(score).toBeCloseTo(expected[at++]!, 8);
          },
          sums,
        );
        expect(at).toBe(rows * outputs);
        for (let j = 0; j < cols; j++) {
          for (let k = 0; k < outputs; k++) {
            let sum = 0;
            for (let r = 0; r < rows; r++) sum += x.data[r * cols + j]! * expected[r * outputs + k]!;
            expect(Math.abs(sums[j * outputs + k]! - sum)).toBeLessThan(1e-10 * (1 + Math.abs(sum)) * rows);
          }
        }
      }),
      { numRuns: 80 },
    );
  });

  it("of many rows and of rows wider than a block should be are complete", async () => {
    for (const [rows, cols] of [
      [5000, 3],
      [50, 9001],
    ] as const) {
      const { x, numbers } = drawn({ seed: 1, rows, cols, classes: 1 });
      const weights = new Float64Array(cols).fill(0.5);
      const products = new ProductPasses(numericRows(regression, rowsInMemory(x, numbers), options), 1, new Pacer());
      const sums = new Float64Array(cols);
      await products.each(weights, (scores) => void scores.fill(1), sums);
      for (const j of [0, 1, cols - 2, cols - 1]) {
        let sum = 0;
        for (let r = 0; r < rows; r++) sum += x.data[r * cols + j]!;
        expect(sums[j]).toBeCloseTo(sum, 7);
      }
    }
  });
});

describe("products of centred columns", () => {
  it("are those of a plain loop, of all columns or of some", async () => {
    const shape = fc.record({
      seed: fc.nat(),
      rows: fc.integer({ min: 1, max: 200 }),
      cols: fc.integer({ min: 1, max: 19 }),
      isSparse: fc.boolean(),
      chosen: fc.boolean(),
      sizes: fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ seed, rows, cols, isSparse, chosen, sizes }) => {
        const { x, numbers } = drawn({ seed, rows, cols, classes: 1, zeros: 0.3 });
        const weights = Float64Array.from({ length: rows }, (_, r) => (r === 0 ? 1 : r % 3));
        const some = Uint32Array.from({ length: cols }, (_, j) => j).filter((j) => j % 2 === 0);
        const columns = chosen || isSparse ? some : undefined;
        const stream = streamed(isSparse ? sparse(x) : x, numbers, sizes);
        const gram = await centredGram(numericRows(regression, stream, { ...options, weights }), new Pacer(), columns);
        const known = columns ?? Uint32Array.from({ length: cols }, (_, j) => j);
        const column = (j: number) => Float64Array.from({ length: rows }, (_, r) => x.data[r * cols + j]!);
        const target = numbers.values;
        expectNear(gram.targetSquares, centred(target, target, weights));
        for (const [a, i] of known.entries()) {
          expectNear(gram.withTarget[a]!, centred(column(i), target, weights));
          for (const [b, j] of known.entries()) {
            expectNear(gram.products[a * gram.cols + b]!, centred(column(i), column(j), weights));
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

function centred(a: Float64Array, b: Float64Array, weights: Float64Array): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = (values: Float64Array) => values.reduce((sum, value, r) => sum + value * weights[r]!, 0) / total;
  const [ma, mb] = [mean(a), mean(b)];
  return a.reduce((sum, value, r) => sum + weights[r]! * (value - ma) * (b[r]! - mb), 0);
}

function expectNear(value: number, expected: number): void {
  expect(Math.abs(value - expected)).toBeLessThan(1e-8 * (1 + Math.abs(expected)));
}
