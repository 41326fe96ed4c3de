import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { AimassError } from "@aimass/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Estimator, FitOptions, Fitted, Parameters, RowStream } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { Random } from "../../random.ts";
import type { ClassTargets, Targets } from "../../targets.ts";
import { estimatorNamed } from "../catalogue.ts";
import { classes, dense, drawn, numbers, sparse } from "../testing/data.ts";
import { streamed } from "../testing/streamed.ts";

const exact = { tolerance: 1e-10, maxIterations: 5000 };
const cases: readonly (readonly [string, string, Parameters])[] = [
  ["least squares", "linear-regression", { l2: 0 }],
  ["ridge", "linear-regression", { l2: 2 }],
  ["lasso", "lasso", { penalty: 0.1 }],
  ["elastic net", "elastic-net", { penalty: 0.1 }],
  ["logistic with l2", "logistic-regression", { ...exact, l2: 1 }],
  ["logistic with l1", "logistic-regression", { tolerance: 1e-8, l2: 0.5, l1: 2 }],
  ["logistic, balanced", "logistic-regression", { ...exact, classWeights: "balanced" }],
  ["SVM", "linear-svm", exact],
  ["SVM, balanced", "linear-svm", { ...exact, classWeights: "balanced" }],
  ["multinomial naive Bayes", "multinomial-naive-bayes", {}],
  ["Gaussian naive Bayes", "gaussian-naive-bayes", {}],
];

const streams: fc.Arbitrary<StreamShape> = fc.record({
  seed: fc.nat(),
  rows: fc.integer({ min: 8, max: 150 }),
  cols: fc.integer({ min: 1, max: 9 }),
  classes: fc.integer({ min: 2, max: 4 }),
  isSparse: fc.boolean(),
  weighted: fc.boolean(),
  sizes: fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 6 }),
});

interface StreamShape {
  readonly seed: number;
  readonly rows: number;
  readonly cols: number;
  readonly classes: number;
  readonly isSparse: boolean;
  readonly weighted: boolean;
  readonly sizes: readonly number[];
}

describe.each(cases)("%s", (_, name, parameters) => {
  const estimator = estimatorNamed(name);

  it("learns the same from a stream of batches as from rows in memory, whatever their sizes", async () => {
    await fc.assert(
      fc.asyncProperty(streams, async (shape) => {
        const { x, y, ...weights } = rowsFor(estimator, shape);
        const options: FitOptions = { random: new Random(1), parameters, ...weights };
        const whole = await estimator.fit(x, y, options);
        const parts = await fitStream(estimator, streamed(x, y, shape.sizes), options);
        // Probabilities of an SVM come from a curve fitted to three more fits, each of which ends within its tolerance.
        expectSameAnswers(whole, parts, x, name === "linear-svm" ? 1e-4 : 1e-5);
      }),
      { numRuns: 25 },
    );
  });
});

describe("rows too wide to multiply out", () => {
  it("give the same regression from a stream as in memory", async () => {
    const { x, numbers: y } = wide();
    const ridge = { random: new Random(1), parameters: { l2: 5 } };
    const estimator = estimatorNamed("linear-regression");
    expectSameAnswers(await estimator.fit(x, y, ridge), await fitStream(estimator, streamed(x, y, [7]), ridge), x);
  });

  it("keep the same features of lasso", async () => {
    const { x, numbers: y } = wide();
    const options = { random: new Random(1), parameters: { penalty: 0.3 } };
    const estimator = estimatorNamed("lasso");
    const whole = await estimator.fit(x, y, options);
    const parts = await fitStream(estimator, streamed(x, y, [11, 3]), options);
    // Coordinate descent ends before the last digits, each way elsewhere.
    expectSameAnswers(whole, parts, x, 1e-3);
    const kept = (fitted: Fitted) => [...(fitted as unknown as { weights: Float64Array }).weights].map((w) => w !== 0);
    expect(kept(parts)).toEqual(kept(whole));
  });

  const wide = () => drawn({ seed: 1, rows: 60, cols: 2100, classes: 2 });
});

describe("a stream", () => {
  const { x, numbers: y, classes: c } = drawn({ seed: 2, rows: 40, cols: 3, classes: 2 });
  const regression = estimatorNamed("linear-regression");
  const fit = (rows: RowStream, estimator: Estimator = regression, parameters: Parameters = {}) =>
    fitStream(estimator, rows, { random: new Random(1), parameters });

  it("is read once where products of columns are all that is needed", async () => {
    for (const name of ["linear-regression", "lasso", "elastic-net"]) {
      const rows = streamed(x, y, [6]);
      await fit(rows, estimatorNamed(name));
      expect(rows.passes).toBe(1);
    }
  });

  it("is read once by naive Bayes", async () => {
    const rows = streamed(x, c, [6]);
    await fit(rows, estimatorNamed("gaussian-naive-bayes"));
    expect(rows.passes).toBe(1);
  });

  it("with a cell that is no number is refused with the place of the cell among all rows", async () => {
    const bad = { ...x, data: x.data.slice() };
    bad.data[3 * 25 + 1] = Number.NaN;
    expect((await failureOf(fit(streamed(bad, y, [6])))).message).toContain("row 25, column 1 is NaN");
  });

  it("with a target that is no number is refused with its row", async () => {
    const values = y.values.slice();
    values[31] = Number.POSITIVE_INFINITY;
    expect((await failureOf(fit(streamed(x, { ...y, values }, [6])))).message).toContain("row 31 is Infinity");
  });

  it("that is shorter than it says is refused", async () => {
    const rows = { ...streamed(x, y, [6]), rows: 41 };
    expect((await failureOf(fit(rows))).message).toBe("There were 40 rows instead of 41.");
  });

  it("of one class is refused", async () => {
    const one = classes(Array(40).fill(1), 2);
    for (const name of ["logistic-regression", "linear-svm", "gaussian-naive-bayes"]) {
      expect((await failureOf(fit(streamed(x, one, [6]), estimatorNamed(name)))).reason).toBe("ONE_CLASS");
    }
  });

  it("of numbers is refused by a classification, and the other way round", async () => {
    expect((await failureOf(fit(streamed(x, c, [6])))).reason).toBe("BAD_TARGET");
    expect((await failureOf(fit(streamed(x, y, [6]), estimatorNamed("linear-svm")))).reason).toBe("BAD_TARGET");
  });

  it("is refused by the plain hinge, which needs its rows in memory", async () => {
    const failure = await failureOf(fit(streamed(x, c, [6]), estimatorNamed("linear-svm"), { loss: "hinge" }));
    expect(failure.reason).toBe("ROWS_IN_MEMORY");
  });

  it("of columns far from the origin loses no digits", async () => {
    const points = Array.from({ length: 500 }, (_, i) => [1_000_000 + i, (i * 7) % 13]);
    const plane = numbers(...points.map(([a = 0, b = 0]) => 5 * a - 3 * b + 2));
    const fitted = await fit(streamed(dense(points), plane, [1, 64, 3]), regression, { l2: 0 });
    expectSameAnswers(fitted, { predict: () => plane }, dense(points), 1e-9);
  });

  it("that begins with a row unlike all others loses few digits", async () => {
    const points = [[1e5, 1], ...Array.from({ length: 2000 }, (_, i) => [((i * 37) % 101) / 128, (i * 7) % 13])];
    const plane = numbers(...points.map(([a = 0, b = 0]) => 2 * a - 3 * b + 1));
    const fitted = await fit(streamed(dense(points), plane, [1]), regression, { l2: 0 });
    expectSameAnswers({ predict: () => plane }, fitted, dense(points), 1e-9);
  });

  it("ends when the fit is cancelled", async () => {
    const abort = new AbortController();
    const endless: RowStream = {
      ...streamed(x, y, [6]),
      rows: 1e12,
      async *batches() {
        for (;;) yield { x, y };
      },
    };
    setTimeout(() => abort.abort(new Error("Enough.")), 60);
    const work = fitStream(regression, endless, { random: new Random(1), signal: abort.signal });
    await expect(work).rejects.toThrow("Enough.");
  });
});

describe("a stream of more bytes than the fit may take", () => {
  it.each([
    ["linear-regression", {}],
    ["elastic-net", {}],
    ["logistic-regression", { maxIterations: 2 }],
    ["linear-svm", { maxIterations: 2 }],
    ["gaussian-naive-bayes", {}],
    ["multinomial-naive-bayes", {}],
  ] as const)("is learned from in a small part of their memory: %s", async (name, parameters) => {
    const script = fileURLToPath(new URL("../testing/stream-memory.ts", import.meta.url));
    const call = [script, name, JSON.stringify(parameters), "2500000", "40"];
    const { stdout } = await promisify(execFile)(process.execPath, call);
    const { streamedMiB, grownMiB } = JSON.parse(stdout) as { streamedMiB: number; grownMiB: number };
    expect(streamedMiB).toBeGreaterThan(380);
    expect(grownMiB).toBeLessThan(80);
  });
});

function fitStream(estimator: Estimator, rows: RowStream, options: FitOptions): Promise<Fitted> {
  if (estimator.fitStream === undefined) throw new Error(`${estimator.name} takes no streams.`);
  return estimator.fitStream(rows, options);
}

/** Of so many rows, each of the parts that an SVM learns its probabilities from has all classes; of a class without a row, any intercept that is low enough is best. */
const fewestForSvm = 48;

function rowsFor(estimator: Estimator, drawnShape: StreamShape): { x: Matrix; y: Targets; weights?: Float64Array } {
  const fewest = estimator.name === "linear-svm" ? fewestForSvm : 0;
  const shape = { ...drawnShape, rows: Math.max(drawnShape.rows, fewest) };
  const data = drawn({ ...shape, zeros: shape.isSparse ? 0.5 : 0 });
  const amounts = estimator.name === "multinomial-naive-bayes";
  const rows = amounts ? { ...data.x, data: data.x.data.map(Math.abs) } : data.x;
  const y: Targets = estimator.task === "regression" ? data.numbers : (data.classes as ClassTargets);
  const random = new Random(shape.seed);
  // The first rows have one of each class, and count.
  const weights = Float64Array.from({ length: shape.rows }, (_, r) => (r < 8 ? 1 : random.below(3)));
  return { x: shape.isSparse ? sparse(rows) : rows, y, ...(shape.weighted ? { weights } : {}) };
}

function expectSameAnswers(
  one: Pick<Fitted, "predict">,
  other: Pick<Fitted, "predict">,
  x: Matrix,
  within = 1e-5,
): void {
  const [a, b] = [one.predict(x), other.predict(x)].map((said) =>
    said.kind === "numbers" ? said.values : said.probabilities,
  ) as [Float64Array, Float64Array];
  expect(b.length).toBe(a.length);
  for (const [i, value] of a.entries())
    expect(Math.abs(b[i]! - value)).toBeLessThanOrEqual(within * Math.max(1, Math.abs(value)));
}

async function failureOf(work: Promise<unknown>): Promise<AimassError> {
  return work.then(
    () => expect.fail("The fit should have failed."),
    (error: AimassError) => error,
  );
}
