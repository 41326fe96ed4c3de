import { AimassError } from "@aimass/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RowStream } from "../../estimator.ts";
import type { DenseMatrix } from "../../matrix.ts";
import type { Json } from "../../packed-array.ts";
import { Random } from "../../random.ts";
import type { Targets } from "../../targets.ts";
import { classes, dense, drawn, numbers, sparse } from "../testing/data.ts";
import {
  decisionTreeClassifier,
  decisionTreeRegressor,
  randomForestClassifier,
  randomForestRegressor,
} from "./forests.ts";
import { gradientBoostingClassifier, gradientBoostingRegressor } from "./gradient-boosting.ts";

const all = [
  decisionTreeClassifier,
  decisionTreeRegressor,
  randomForestClassifier,
  randomForestRegressor,
  gradientBoostingClassifier,
  gradientBoostingRegressor,
];

const few: Record<string, Record<string, number>> = {
  random: { trees: 4 },
  gradient: { iterations: 6, minRowsPerLeaf: 3 },
  decision: {},
};
const parametersOf = ({ name }: { name: string }) => few[name.split("-")[0] ?? ""] ?? {};
const options = (estimator: { name: string }) => ({ random: new Random(7), parameters: parametersOf(estimator) });

/** Batches of the sizes given, again and again, all in one piece of memory. */
function stream(x: DenseMatrix, y: Targets, sizes: readonly number[]): RowStream & { passes: number } {
  const held = new Float32Array(Math.max(...sizes) * x.cols);
  return {
    rows: x.rows,
    cols: x.cols,
    layout: "dense",
    targets: y.kind === "numbers" ? { kind: "numbers" } : { kind: "classes", labels: y.labels },
    passes: 0,
    async *batches() {
      this.passes++;
      for (let from = 0, i = 0; from < x.rows; i++) {
        const to = Math.min(x.rows, from + (sizes[i % sizes.length] ?? 1));
        const data = held.subarray(0, (to - from) * x.cols);
        data.set(x.data.subarray(from * x.cols, to * x.cols));
        yield { x: { kind: "dense", rows: to - from, cols: x.cols, data }, y: targetsOf(y, from, to) };
        from = to;
      }
    },
  };
}

function targetsOf(y: Targets, from: number, to: number): Targets {
  if (y.kind === "numbers") return { kind: "numbers", values: y.values.slice(from, to) };
  return { ...y, indices: y.indices.slice(from, to) };
}

describe.each(all.map((estimator) => [estimator.name, estimator] as const))("rows in batches: %s", (_, estimator) => {
  const targetsFor = (data: ReturnType<typeof drawn>) =>
    estimator.task === "regression" ? data.numbers : data.classes;
  const fitStream = estimator.fitStream ?? expect.fail();

  it("gives the model of all rows at once, whatever the batches, in two passes", async () => {
    const shape = fc.record({
      seed: fc.nat(),
      rows: fc.integer({ min: 4, max: 300 }),
      missing: fc.constantFrom(0, 0.2),
    });
    const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(shape, sizes, async (made, batches) => {
        const data = drawn({ ...made, cols: 4, classes: 3 });
        const rows = stream(data.x, targetsFor(data), batches);
        const streamed = await fitStream(rows, options(estimator));
        const whole = await estimator.fit(data.x, targetsFor(data), options(estimator));
        expect(streamed.toJson()).toEqual(whole.toJson());
        expect(rows.passes).toBe(2);
      }),
      { numRuns: 8 },
    );
  });

  it("names the row among all rows when a cell cannot be used", async () => {
    const data = drawn({ seed: 1, rows: 50, cols: 3, classes: 2 });
    data.x.data[37 * 3 + 1] = Number.POSITIVE_INFINITY;
    const failure = await fitStream(stream(data.x, targetsFor(data), [10]), options(estimator)).catch(
      (e: unknown) => e,
    );
    expect(failure).toBeInstanceOf(AimassError);
    expect((failure as AimassError).message).toContain("row 37, column 1 is Infinity");
  });

  it("says so when the rows are fewer than they were said to be", async () => {
    const data = drawn({ seed: 1, rows: 50, cols: 3, classes: 2 });
    const rows: RowStream = { ...stream(data.x, targetsFor(data), [10]), rows: 51 };
    const failure = await fitStream(rows, options(estimator)).catch((e: unknown) => e);
    expect((failure as AimassError).code).toBe("INVALID_ARGUMENT");
  });
});

it("rows in batches beyond the sample that cuts are chosen from give the model of all rows at once", async () => {
  const random = new Random(3);
  const data = Float32Array.from({ length: 130_000 }, () => random.normal());
  const x: DenseMatrix = { kind: "dense", rows: data.length, cols: 1, data };
  const y: Targets = { kind: "numbers", values: Float64Array.from(data, (value) => Math.sin(value)) };
  for (const [estimator, parameters] of [
    [gradientBoostingRegressor, { iterations: 2 }],
    [decisionTreeRegressor, { maxDepth: 5 }],
  ] as const) {
    const streamed = await estimator.fitStream?.(stream(x, y, [40_000]), { random: new Random(1), parameters });
    expect(streamed?.toJson()).toEqual((await estimator.fit(x, y, { random: new Random(1), parameters })).toJson());
  }
});

it("sparse batches are written out one by one", async () => {
  const { x, classes: y } = drawn({ seed: 5, rows: 100, cols: 4, classes: 2, zeros: 0.6 });
  const whole = stream(x, y, [30]);
  const rows: RowStream = {
    ...whole,
    layout: "sparse",
    async *batches() {
      for await (const batch of whole.batches()) yield { ...batch, x: sparse(batch.x as DenseMatrix) };
    },
  };
  const streamed = await randomForestClassifier.fitStream?.(rows, options(randomForestClassifier));
  expect(streamed?.toJson()).toEqual(
    (await randomForestClassifier.fit(x, y, options(randomForestClassifier))).toJson(),
  );
});

it("a fit over batches goes on from a checkpoint to the model it would have been", async () => {
  const { x, classes: y } = drawn({ seed: 2, rows: 300, cols: 6, classes: 3 });
  for (const estimator of [randomForestClassifier, gradientBoostingClassifier]) {
    const checkpoints: Json[] = [];
    const onCheckpoint = (json: Json) => checkpoints.push(structuredClone(json));
    const fit = (more: object) => estimator.fitStream?.(stream(x, y, [70]), { ...options(estimator), ...more });
    const whole = await fit({ onCheckpoint, checkpointEveryMs: 0 });
    const resumed = await fit({ resume: JSON.parse(JSON.stringify(checkpoints[1])) as Json });
    expect(resumed?.toJson()).toEqual(whole?.toJson());
  }
});

describe("a tree over words of 16 bits", () => {
  it("tells apart values that 255 bins would put together", async () => {
    const x = dense(Array.from({ length: 3000 }, (_, r) => [r]));
    const y = numbers(...Array.from({ length: 3000 }, (_, r) => r * r));
    const said = (await decisionTreeRegressor.fit(x, y, options(decisionTreeRegressor))).predict(x);
    expect(said.kind === "numbers" && said.values).toEqual(Float64Array.from(y.values, Math.fround));
  });

  it("parts rows whose only difference is a missing cell, and sends new missing cells the same way", async () => {
    const x = dense(Array.from({ length: 1000 }, (_, r) => [r % 2 === 0 ? r : Number.NaN]));
    const y = classes(Array.from({ length: 1000 }, (_, r) => r % 2));
    const said = (await decisionTreeClassifier.fit(x, y, options(decisionTreeClassifier))).predict(x);
    expect(said.kind === "classes" && said.indices).toEqual(y.indices);
  });
});
