import { AimassError } from "@aimass/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Estimator, FitOptions, Fitted } from "../estimator.ts";
import type { DenseMatrix } from "../matrix.ts";
import type { Json } from "../packed-array.ts";
import { Random } from "../random.ts";
import type { Prediction, Targets } from "../targets.ts";
import { estimatorNamed, estimators } from "./catalogue.ts";
import { classes, dense, drawn, numbers, sparse } from "./testing/data.ts";
import { serve } from "./testing/serve.ts";

const quick: Record<string, Record<string, number | string>> = {
  "random-forest-classifier": { trees: 8 },
  "random-forest-regressor": { trees: 8 },
  "gradient-boosting-classifier": { iterations: 12, minRowsPerLeaf: 2 },
  "gradient-boosting-regressor": { iterations: 12, minRowsPerLeaf: 2 },
};

type Drawn = ReturnType<typeof drawn>;
const takesAmounts = (estimator: Estimator) => estimator.name === "multinomial-naive-bayes";

function targetsFor({ task }: Estimator, data: Drawn): Targets {
  return task === "regression" ? data.numbers : data.classes;
}

function rowsFor(estimator: Estimator, { x }: Drawn): DenseMatrix {
  return takesAmounts(estimator) ? { ...x, data: x.data.map(Math.abs) } : x;
}

function fit(estimator: Estimator, x: DenseMatrix, y: Targets, options: Partial<FitOptions> = {}): Promise<Fitted> {
  const parameters = { ...quick[estimator.name], ...options.parameters };
  return estimator.fit(x, y, { random: new Random(7), ...options, parameters });
}

/** Served answers against predicted ones, 1e-5 relative. */
async function expectServedAsPredicted(fitted: Fitted, x: DenseMatrix): Promise<void> {
  const own: Prediction = fitted.predict(x);
  const served = await serve(fitted, x);
  if (own.kind === "numbers") {
    for (const [r, value] of own.values.entries()) expectNear(served.value?.[r] as number, value);
    return;
  }
  for (const [i, p] of own.probabilities.entries()) expectNear(served.probabilities?.[i] as number, p);
  expect(served.label).toEqual(Array.from(own.indices, (index) => own.labels.values[index]));
}

function expectNear(served: number, own: number): void {
  expect(Math.abs(served - own)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(own)));
}

async function failureOf(work: Promise<unknown>): Promise<AimassError> {
  const failure = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(AimassError);
  return failure as AimassError;
}

describe.each(estimators.map((estimator) => [estimator.name, estimator] as const))("%s", (_, estimator) => {
  it("serves from its graph what it predicts itself, whatever it was trained on", async () => {
    const shape = fc.record({
      seed: fc.nat(),
      rows: fc.integer({ min: 5, max: 80 }),
      cols: fc.integer({ min: 1, max: 9 }),
      classes: fc.integer({ min: 2, max: 5 }),
      missing: estimator.missing ? fc.constantFrom(0, 0.2) : fc.constant(0),
      zeros: fc.constantFrom(0, 0.5),
    });
    await fc.assert(
      fc.asyncProperty(shape, async (options) => {
        const data = drawn(options);
        const fitted = await fit(estimator, rowsFor(estimator, data), targetsFor(estimator, data));
        const fresh = drawn({ ...options, seed: options.seed + 1 });
        await expectServedAsPredicted(fitted, rowsFor(estimator, data));
        await expectServedAsPredicted(fitted, rowsFor(estimator, fresh));
      }),
      { numRuns: 12 },
    );
  });

  it("learns: it beats the constant answer on rows it has not seen", async () => {
    const [train, test] = [1, 2].map((seed) => drawn({ seed, rows: 600, cols: 4, classes: 3 })) as [Drawn, Drawn];
    const fitted = await fit(estimator, rowsFor(estimator, train), targetsFor(estimator, train));
    const said = fitted.predict(rowsFor(estimator, test));
    if (said.kind === "numbers") {
      const mean = test.numbers.values.reduce((sum, value) => sum + value, 0) / 600;
      const error = test.numbers.values.reduce((sum, value, r) => sum + (value - said.values[r]!) ** 2, 0);
      const spread = test.numbers.values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      expect(1 - error / spread).toBeGreaterThan(0.7);
    } else {
      const right = said.indices.filter((index, r) => index === test.classes.indices[r]).length;
      const counts = [0, 1, 2].map((c) => test.classes.indices.filter((index) => index === c).length);
      expect(right).toBeGreaterThan(takesAmounts(estimator) ? 0.3 * 600 : 1.1 * Math.max(...counts));
    }
  });

  it("makes the same model again from the same rows and seed", async () => {
    const data = drawn({ seed: 3, rows: 120, cols: 6, classes: 3 });
    const [x, y] = [rowsFor(estimator, data), targetsFor(estimator, data)];
    expect((await fit(estimator, x, y)).toJson()).toEqual((await fit(estimator, x, y)).toJson());
  });

  it("leaves the rows as they are: others are fitted to them next", async () => {
    const data = drawn({ seed: 3, rows: 120, cols: 6, classes: 3, zeros: 0.5, missing: estimator.missing ? 0.1 : 0 });
    const y = targetsFor(estimator, data);
    for (const x of [rowsFor(estimator, data), sparse(rowsFor(estimator, data))]) {
      const before = structuredClone({ x, y });
      await estimator.fit(x, y, { random: new Random(7), parameters: quick[estimator.name] ?? {} });
      expect({ x, y }).toEqual(before);
    }
  });

  it("is the same after a trip through JSON", async () => {
    const data = drawn({ seed: 4, rows: 60, cols: 5, classes: 3 });
    const x = rowsFor(estimator, data);
    const fitted = await fit(estimator, x, targetsFor(estimator, data));
    const again = estimator.fromJson(JSON.parse(JSON.stringify(fitted.toJson())) as Json);
    expect(again.predict(x)).toEqual(fitted.predict(x));
    expect(() => estimator.fromJson({ kind: "something else" })).toThrow(AimassError);
  });

  it("takes sparse rows for what they are", async () => {
    const data = drawn({ seed: 5, rows: 150, cols: 6, classes: 3, zeros: 0.6 });
    const x = rowsFor(estimator, data);
    const y = targetsFor(estimator, data);
    const parameters: Record<string, number> =
      estimator.name === "logistic-regression" || estimator.name === "linear-svm" ? { tolerance: 1e-9 } : {};
    const [a, b] = [
      await fit(estimator, x, y, { parameters }),
      await estimator.fit(sparse(x), y, {
        random: new Random(7),
        parameters: { ...quick[estimator.name], ...parameters },
      }),
    ];
    const [p, q] = [a.predict(x), b.predict(sparse(x))];
    const [u, v] =
      p.kind === "numbers" && q.kind === "numbers"
        ? [p.values, q.values]
        : p.kind === "classes" && q.kind === "classes"
          ? [p.probabilities, q.probabilities]
          : expect.fail();
    for (const [i, value] of u.entries())
      expect(Math.abs(v[i]! - value)).toBeLessThan(1e-3 * Math.max(1, Math.abs(value)));
  });

  it("counts a row of weight 2 like two rows, and one of weight 0 not at all", async () => {
    const sampled = /forest|boosting|tree|neighbours/.test(estimator.name);
    const data = drawn({ seed: 6, rows: 40, cols: 3, classes: 2 });
    const x = rowsFor(estimator, data);
    const y = targetsFor(estimator, data);
    const doubled = dense([...rowsOf(x).slice(0, 30), ...rowsOf(x).slice(0, 10)]);
    const take = <T extends Float64Array | Int32Array>(a: T) => [...a.slice(0, 30), ...a.slice(0, 10)];
    const twice: Targets = y.kind === "numbers" ? numbers(...take(y.values)) : classes(take(y.indices), 2);
    const weights = Float64Array.from({ length: 40 }, (_, r) => (r < 10 ? 2 : r < 30 ? 1 : 0));
    const parameters: Record<string, number> = estimator.parameters.some((p) => p.name === "tolerance")
      ? { tolerance: 1e-9 }
      : {};
    const weighted = (await fit(estimator, x, y, { weights, parameters })).predict(x);
    if (sampled) {
      // Where rows are drawn or counted, weights and copies differ; what has no weight must still be without influence.
      const poisoned = poison(y, 30);
      expect((await fit(estimator, x, poisoned, { weights, parameters })).predict(x)).toEqual(weighted);
      return;
    }
    const copied = (await fit(estimator, doubled, twice, { parameters })).predict(x);
    const [u, v] = [valuesOf(weighted), valuesOf(copied)];
    for (const [i, value] of u.entries())
      expect(Math.abs(v[i]! - value)).toBeLessThan(1e-3 * Math.max(1, Math.abs(value)));
  });

  it("gives a sensible model where columns are constant", async () => {
    const data = drawn({ seed: 8, rows: 30, cols: 3, classes: 2 });
    const x = dense(Array.from({ length: 30 }, () => [4, 0, 1e6]));
    const fitted = await fit(estimator, x, targetsFor(estimator, data));
    await expectServedAsPredicted(fitted, x);
    const values = valuesOf(fitted.predict(x));
    const width = estimator.task === "regression" ? 1 : 2;
    for (const [i, value] of values.entries()) expect(value).toBeCloseTo(values[i % width]!, 9);
    for (const value of values) expect(Number.isFinite(value)).toBe(true);
  });

  it("learns from one row when that makes sense, and says so when it does not", async () => {
    const x = dense([[1, 2]]);
    if (estimator.task === "regression") {
      const fitted = await fit(estimator, x, numbers(5));
      expect(valuesOf(fitted.predict(dense([[1, 2]])))[0]).toBeCloseTo(5, 6);
      await expectServedAsPredicted(fitted, dense([[3, 4]]));
      return;
    }
    const failure = await failureOf(fit(estimator, x, classes([0], 2)));
    expect(failure.code).toBe("FAILED_PRECONDITION");
    expect(failure.message).toBe('Every row has the class "a".');
  });

  it("names what is wrong with data it cannot use", async () => {
    const y = estimator.task === "regression" ? numbers(1, 2) : classes([0, 1]);
    const none = estimator.task === "regression" ? numbers() : classes([], 2);
    expect((await failureOf(fit(estimator, dense([]), none))).reason).toBe("EMPTY_DATA");
    const infinite = dense([
      [1, 2],
      [3, Number.POSITIVE_INFINITY],
    ]);
    expect((await failureOf(fit(estimator, infinite, y))).message).toContain("row 1, column 1 is Infinity");
    const short = await failureOf(fit(estimator, dense([[1], [2], [3]]), y));
    expect(short.message).toBe("There are 2 targets for 3 rows.");
    const unknown = fit(estimator, dense([[1], [2]]), y, { parameters: { depthh: 1 } });
    expect((await failureOf(unknown)).field).toBe("parameters.depthh");
    if (estimator.missing) return;
    const missing = dense([[1], [Number.NaN]]);
    expect((await failureOf(fit(estimator, missing, y))).message).toContain("row 1, column 0 is NaN");
  });

  it("gives a class without rows no chance", async () => {
    if (estimator.task === "regression") return;
    const data = drawn({ seed: 9, rows: 60, cols: 3, classes: 2 });
    const x = rowsFor(estimator, data);
    const fitted = await fit(estimator, x, classes(data.classes.indices, 3));
    const said = fitted.predict(x);
    if (said.kind !== "classes") expect.fail();
    expect([...said.indices].includes(2)).toBe(false);
    await expectServedAsPredicted(fitted, x);
  });
});

describe("nearest neighbours that are equally near", () => {
  const estimator = estimatorNamed("nearest-neighbours-regressor");
  const random = new Random(3);
  /** A number beside twelve categories. */
  const row = (number: number, category: number) => [
    number,
    ...Array.from({ length: 12 }, (_, c) => (c === category ? 1 : 0)),
  ];
  const rows = Array.from({ length: 40 }, (_, i) => row(random.below(3) * 0.37, i % 12));
  const y = numbers(...rows.map((_, i) => (i * 7) % 41));
  /** Of features that serving computes to the last bits alone. */
  const tolerances = new Float32Array(13).fill(2 ** -20);

  it.each([1e2, 1e4, 1e6, 1e9])("are the same ones in serving for a row %d away from all others", async (far) => {
    const fitted = await fit(estimator, dense(rows), y, { parameters: { neighbours: 1 } });
    const asked = Array.from({ length: 200 }, () => row((random.next() - 0.5) * far, -1));
    await expectServedAsPredicted(fitted, dense(asked));
  });

  it.each([10, 1e3, 1e5, 1e7])("are the same ones in serving beside an outlier of %d", async (far) => {
    const fitted = await fit(estimator, dense([...rows, row(far, 0)]), numbers(...y.values, 100), { tolerances });
    const asked = Array.from({ length: 60 }, (_, i) => row(random.below(3) * 0.37, i % 13));
    await expectServedAsPredicted(fitted, dense(asked));
    // The outlier does not blur the others: a row among them finds its like first.
    const nearest = await fit(estimator, dense([...rows, row(far, 0)]), numbers(...y.values, 100), {
      tolerances,
      parameters: { neighbours: 1 },
    });
    const first = rows.map((one) => y.values[rows.findIndex((other) => other.join() === one.join())]);
    expect([...valuesOf(nearest.predict(dense(rows)))]).toEqual(first);
  });

  it("are the same ones in serving where distances are whole numbers", async () => {
    const kinds = [1, 2, 3].map(() => Array.from({ length: 40 }, () => 140 * random.normal()));
    const drawnRow = () => [...kinds[random.below(3)]!, ...[1, 1, 1].map(() => random.below(3))];
    const some = Array.from({ length: 200 }, drawnRow);
    const values = numbers(...some.map((_, i) => (i * 7) % 41));
    const fitted = await fit(estimator, dense(some), values, { tolerances: new Float32Array(43).fill(2 ** -20) });
    await expectServedAsPredicted(fitted, dense(Array.from({ length: 100 }, drawnRow)));
  });
});

describe("a fit that takes long", () => {
  const big = drawn({ seed: 1, rows: 60_000, cols: 30, classes: 3 });

  it.each([
    "linear-regression",
    "logistic-regression",
    "linear-svm",
    "random-forest-classifier",
    "gradient-boosting-classifier",
    "gradient-boosting-regressor",
  ])("ends soon after it is cancelled: %s", async (name) => {
    const estimator = estimatorNamed(name);
    const abort = new AbortController();
    let cancelledAt = 0;
    setTimeout(() => {
      cancelledAt = performance.now();
      abort.abort(new AimassError("CANCELLED", "Enough."));
    }, 30);
    const work = estimator.fit(big.x, targetsFor(estimator, big), {
      random: new Random(1),
      signal: abort.signal,
      parameters: /svm|logistic/.test(name) ? { tolerance: 1e-12 } : {},
    });
    if (name === "linear-regression") return void (await work.catch(() => undefined));
    expect((await failureOf(work)).message).toBe("Enough.");
    expect(performance.now() - cancelledAt).toBeLessThan(1500);
  });

  it.each(["logistic-regression", "linear-svm", "random-forest-classifier", "gradient-boosting-classifier"])(
    "goes on from a checkpoint to the model it would have been: %s",
    async (name) => {
      const estimator = estimatorNamed(name);
      const data = drawn({ seed: 2, rows: 300, cols: 6, classes: 3 });
      const checkpoints: Json[] = [];
      const options = { onCheckpoint: (json: Json) => checkpoints.push(structuredClone(json)), checkpointEveryMs: 0 };
      const whole = await fit(estimator, data.x, data.classes, options);
      expect(checkpoints.length).toBeGreaterThan(3);
      const resume = JSON.parse(JSON.stringify(checkpoints[2])) as Json;
      let steps = 0;
      const onProgress = () => void steps++;
      expect((await fit(estimator, data.x, data.classes, { resume, onProgress })).toJson()).toEqual(whole.toJson());
      expect(steps).toBeLessThanOrEqual(checkpoints.length - 3);
    },
  );
});

function rowsOf({ data, rows, cols }: DenseMatrix): number[][] {
  return Array.from({ length: rows }, (_, r) => [...data.slice(r * cols, (r + 1) * cols)]);
}

function valuesOf(prediction: Prediction): Float64Array {
  return prediction.kind === "numbers" ? prediction.values : prediction.probabilities;
}

function poison(y: Targets, from: number): Targets {
  if (y.kind === "numbers") return { ...y, values: y.values.map((value, r) => (r >= from ? value + 1e3 : value)) };
  return { ...y, indices: y.indices.map((index, r) => (r >= from ? 1 - index : index)) };
}
