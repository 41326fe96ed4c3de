import { describe, expect, it } from "vitest";
import type { Parameters } from "../../estimator.ts";
import type { Matrix } from "../../matrix.ts";
import { Random } from "../../random.ts";
import type { Targets } from "../../targets.ts";
import { classes, dense, drawn, numbers, sparse } from "../testing/data.ts";
import { elasticNet, lasso } from "./elastic-net.ts";
import type { LinearClassifier } from "./linear-classifier.ts";
import { linearRegression } from "./linear-regression.ts";
import type { LinearRegressor } from "./linear-regressor.ts";
import { linearSvm } from "./linear-svm.ts";
import { logisticRegression } from "./logistic-regression.ts";

type Linear = typeof linearRegression;
const regress = async (estimator: Linear, x: Matrix, y: Targets, parameters: Parameters) =>
  (await estimator.fit(x, y, { random: new Random(1), parameters })) as LinearRegressor;
const classify = async (estimator: Linear, x: Matrix, y: Targets, parameters: Parameters) =>
  (await estimator.fit(x, y, { random: new Random(1), parameters })) as LinearClassifier;

describe("linear regression", () => {
  it("finds the plane that the points lie on, however far from the origin", async () => {
    const points = Array.from({ length: 50 }, (_, i) => [1_000_000 + i, (i * 7) % 13]);
    const y = numbers(...points.map(([a = 0, b = 0]) => 5 * a - 3 * b + 2));
    const { weights, intercept } = await regress(linearRegression, dense(points), y, { l2: 0 });
    expect(weights[0]).toBeCloseTo(5, 6);
    expect(weights[1]).toBeCloseTo(-3, 6);
    expect(intercept).toBeCloseTo(2, 0);
  });

  it("agrees with ridge regression worked out by hand", async () => {
    // Centred x is (−1, 1), y (−1, 1): w = Σxy / (Σx² + l2) = 2 / (2 + 2).
    const { weights, intercept } = await regress(linearRegression, dense([[0], [2]]), numbers(0, 2), { l2: 2 });
    expect(weights[0]).toBeCloseTo(0.5, 12);
    expect(intercept).toBeCloseTo(0.5, 12);
  });

  it("predicts well although a column is a combination of others", async () => {
    const points = [1, 2, 3, 4, 7].map((a) => [a, a * a, 2 * a]);
    const y = numbers(...points.map(([a = 0, b = 0]) => a + b));
    const x = dense(points);
    const fitted = await regress(linearRegression, x, y, { l2: 0 });
    for (const [r, value] of fitted.predict(x).values.entries()) expect(value).toBeCloseTo(y.values[r]!, 6);
  });

  it("finds the same by conjugate gradients, for rows too wide to multiply out", async () => {
    const { x, numbers: y } = drawn({ seed: 1, rows: 200, cols: 7, classes: 2, zeros: 0.5 });
    const [a, b] = [
      await regress(linearRegression, x, y, { l2: 3 }),
      await regress(linearRegression, sparse(x), y, { l2: 3 }),
    ];
    for (const [j, weight] of a.weights.entries()) expect(b.weights[j]).toBeCloseTo(weight, 6);
    expect(b.intercept).toBeCloseTo(a.intercept, 6);
  });
});

describe("lasso and elastic net", () => {
  it("shrink a single weight by the penalty, as worked out by hand", async () => {
    // ½·mean(y²) with mean(x²) = 1 and mean(xy) = 3: lasso 3 − 1; elastic net (3 − ½) / (1 + ½).
    const [x, y] = [dense([[-1], [1], [-1], [1]]), numbers(-3, 3, -3, 3)];
    expect((await regress(lasso, x, y, { penalty: 1 })).weights[0]).toBeCloseTo(2, 9);
    expect((await regress(elasticNet, x, y, { penalty: 1, l1Share: 0.5 })).weights[0]).toBeCloseTo(2.5 / 1.5, 9);
    expect((await regress(lasso, x, y, { penalty: 4 })).weights[0]).toBe(0);
  });

  it("drop the features that say nothing", async () => {
    const random = new Random(1);
    const rows = Array.from({ length: 500 }, () => Array.from({ length: 20 }, () => random.normal()));
    const y = numbers(...rows.map((row) => 3 * row[4]! - 2 * row[11]! + 0.1 * random.normal()));
    const { weights } = await regress(lasso, dense(rows), y, { penalty: 0.1 });
    expect([...weights.keys()].filter((j) => weights[j] !== 0)).toEqual([4, 11]);
  });

  it("find the same with residuals as with products of columns", async () => {
    const { x, numbers: y } = drawn({ seed: 2, rows: 300, cols: 8, classes: 2, zeros: 0.4 });
    const parameters = { penalty: 0.05, l1Share: 0.7 };
    const [a, b] = [await regress(elasticNet, x, y, parameters), await regress(elasticNet, sparse(x), y, parameters)];
    for (const [j, weight] of a.weights.entries()) expect(b.weights[j]).toBeCloseTo(weight, 4);
  });
});

describe("logistic regression", () => {
  it("gives the log-odds of counted classes when there is nothing to tell rows apart by", async () => {
    const y = classes([1, 1, 1, 0]);
    const { scores } = await classify(logisticRegression, dense([[1], [1], [1], [1]]), y, { tolerance: 1e-10 });
    expect(scores.intercepts[0]).toBeCloseTo(Math.log(3), 6);
  });

  it("meets the condition of the minimum: Σ x·(y − p) = l2·β", async () => {
    const { x, classes: y } = drawn({ seed: 3, rows: 200, cols: 4, classes: 2 });
    const fitted = await classify(logisticRegression, x, y, { l2: 2, tolerance: 1e-10 });
    const { probabilities } = fitted.predict(x);
    for (let j = 0; j < 4; j++) {
      let slope = 0;
      for (let r = 0; r < 200; r++) slope += x.data[r * 4 + j]! * (y.indices[r]! - probabilities[2 * r + 1]!);
      expect(slope).toBeCloseTo(2 * fitted.scores.weights[j]!, 5);
    }
  });

  it("meets the condition of the minimum with l1: |Σ x·(y − p)| ≤ l1, with equality where a weight is not 0", async () => {
    const { x, classes: y } = drawn({ seed: 4, rows: 300, cols: 8, classes: 2 });
    const fitted = await classify(logisticRegression, x, y, { l2: 0, l1: 10, tolerance: 1e-9, maxIterations: 5000 });
    const { probabilities } = fitted.predict(x);
    expect(fitted.scores.weights.filter((weight) => weight === 0).length).toBeGreaterThan(0);
    for (const [j, weight] of fitted.scores.weights.entries()) {
      let slope = 0;
      for (let r = 0; r < 300; r++) slope += x.data[r * 8 + j]! * (y.indices[r]! - probabilities[2 * r + 1]!);
      if (weight === 0) expect(Math.abs(slope)).toBeLessThanOrEqual(10.001);
      else expect(slope).toBeCloseTo(10 * Math.sign(weight), 3);
    }
  });

  it("raises a rare class with balanced weights", async () => {
    const { x } = drawn({ seed: 5, rows: 400, cols: 3, classes: 2 });
    const y = classes(Array.from({ length: 400 }, (_, r) => (x.data[3 * r]! > 1.5 ? 1 : 0)));
    const share = async (classWeights: string) =>
      (await classify(logisticRegression, x, y, { classWeights, l2: 100 })).predict(x).indices.filter((c) => c === 1)
        .length;
    expect(await share("balanced")).toBeGreaterThan(await share("none"));
  });
});

describe("linear SVM", () => {
  it("puts the border in the middle between two points", async () => {
    // Support vectors −1 and 1: β = 1, b = 0 with a weak penalty.
    for (const loss of ["hinge", "squared-hinge"]) {
      const parameters = { loss, l2: 1e-4, tolerance: 1e-9 };
      const { scores } = await classify(linearSvm, dense([[-1], [1]]), classes([0, 1]), parameters);
      expect(scores.weights[0]).toBeCloseTo(1, 3);
      expect(scores.intercepts[0]).toBeCloseTo(0, 3);
    }
  });

  it("knows two classes that touch nowhere, and says so with probabilities", async () => {
    const random = new Random(3);
    const rows = Array.from({ length: 200 }, (_, r) => [random.normal() + (r % 2 === 0 ? 4 : -4), random.normal()]);
    const y = classes(rows.map((_, r) => r % 2));
    for (const loss of ["hinge", "squared-hinge"]) {
      const said = (await classify(linearSvm, dense(rows), y, { loss })).predict(dense(rows));
      expect(said.indices).toEqual(y.indices);
      for (let r = 0; r < 200; r++) expect(said.probabilities[2 * r + y.indices[r]!]).toBeGreaterThan(0.8);
    }
  });
});

describe("probabilities of a linear support vector machine", () => {
  /** Each row has a few of many words; some of them lean to one side. As with texts there are more words than rows. */
  function texts(seed: number, rows: number) {
    const random = new Random(seed);
    const words = 3000;
    const indices = Array.from({ length: rows }, () => random.below(2));
    const x = dense(
      indices.map((own) => {
        const row = new Array<number>(words).fill(0);
        for (let word = 0; word < 12; word++) row[random.below(words)] = 1;
        for (let word = 0; word < 3; word++) row[random.below(20) * 2 + (random.next() < 0.75 ? own : 1 - own)] = 1;
        return row;
      }),
    );
    return { x: sparse(x), y: classes(indices, 2) };
  }
  const lossOf = ({ probabilities }: { probabilities: Float64Array }, indices: Int32Array) =>
    indices.reduce((sum, own, r) => sum - Math.log(probabilities[2 * r + own]!), 0) / indices.length;

  it.each(["squared-hinge", "hinge"])("hold for rows it did not learn from, with the loss %s", async (loss) => {
    const [learnt, fresh] = [texts(1, 1000), texts(2, 1000)];
    const model = await classify(linearSvm, learnt.x, learnt.y, { loss, l2: 0.1 });
    const answer = model.predict(fresh.x);
    // What is known without any row is ln 2 = 0.693; the curve of least loss for these very scores is not much better.
    expect(lossOf(answer, fresh.y.indices)).toBeLessThan(0.6);
    const sure = Array.from(answer.indices.keys()).filter(
      (r) => Math.max(...answer.probabilities.subarray(2 * r, 2 * r + 2)) > 0.8,
    );
    const right = sure.filter((r) => answer.indices[r] === fresh.y.indices[r]).length;
    expect(sure.length).toBeGreaterThan(50);
    expect(right / sure.length).toBeGreaterThan(0.75);
  });

  it("say no more than the shares of the classes where scores tell nothing", async () => {
    const random = new Random(5);
    const x = dense(Array.from({ length: 90 }, () => Array.from({ length: 60 }, () => random.normal())));
    const y = classes(
      Array.from({ length: 90 }, () => random.below(3)),
      3,
    );
    const { probabilities } = (await classify(linearSvm, x, y, {})).predict(x);
    expect(Math.max(...probabilities)).toBeLessThan(0.75);
  });
});
