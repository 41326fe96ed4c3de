import { describe, expect, it } from "vitest";
import { ClassEvaluation } from "./class-evaluation.ts";
import { RegressionEvaluation } from "./regression-evaluation.ts";

type Row = readonly [actual: number, predicted: number, ...probabilities: number[]];

function metricsOf(classes: number, rows: readonly Row[]) {
  return evaluationOf(classes, rows).metrics();
}

function evaluationOf(classes: number, rows: readonly Row[]) {
  const names = Array.from({ length: classes }, (_, c) => `class ${c}`);
  const evaluation = new ClassEvaluation(names, rows.length);
  for (const [actual, predicted, ...p] of rows) evaluation.add(actual, predicted, Float64Array.from(p));
  return evaluation;
}

describe("the evaluation of a classification", () => {
  it("agrees with what is worked out by hand", () => {
    const metrics = metricsOf(2, [
      [0, 0, 0.9, 0.1],
      [0, 1, 0.4, 0.6],
      [1, 1, 0.3, 0.7],
      [1, 1, 0.4, 0.6],
    ]);
    expect(metrics.accuracy).toBe(0.75);
    // F1 is 2/3 of class 0 and 4/5 of class 1.
    expect(metrics.macro_f1).toBeCloseTo((2 / 3 + 4 / 5) / 2, 12);
    expect(metrics.log_loss).toBeCloseTo(-Math.log(0.9 * 0.4 * 0.7 * 0.6) / 4, 12);
    // Of four pairs three are in order and one is tied.
    expect(metrics.roc_auc).toBeCloseTo(3.5 / 4, 12);
  });

  it("counts rows of a class that was not learnt as wrong, in a loss that stays finite", () => {
    const metrics = metricsOf(3, [
      [-1, 2, 0, 0, 1],
      [2, 2, 0, 0, 1],
    ]);
    expect(metrics.accuracy).toBe(0.5);
    expect(metrics.macro_f1).toBeCloseTo((2 / 3 + 0) / 2, 12);
    expect(metrics.log_loss).toBeCloseTo(-Math.log(1e-15) / 2, 9);
  });

  it("of more than two classes has the mean ROC-AUC of each against the rest, and a table with one row for each", () => {
    const evaluation = evaluationOf(3, [
      [0, 0, 0.8, 0.1, 0.1],
      [0, 1, 0.3, 0.4, 0.3],
      [1, 1, 0.4, 0.6, 0],
      [2, 2, 0.1, 0.1, 0.8],
      [-1, 2, 0.1, 0.2, 0.7],
    ]);
    // Class 0: of its 6 pairs five are in order; class 1: all; class 2: all.
    expect(evaluation.metrics().roc_auc).toBeCloseTo((5 / 6 + 1 + 1) / 3, 12);
    const { confusion, scores, unknownRows, calibration, calibrationError } = evaluation.detail();
    expect(confusion).toEqual([1n, 1n, 0n, 0n, 1n, 0n, 0n, 0n, 1n]);
    expect(unknownRows).toBe(1n);
    expect(scores?.[0]).toMatchObject({ label: "class 0", precision: 1, recall: 0.5, rows: 2n });
    expect(scores?.[2]).toMatchObject({ precision: 0.5, recall: 1, rocAuc: 1 });
    expect(calibration?.[8]).toMatchObject({ from: 0.8, predicted: 0.8, actual: 1, rows: 2n });
    // Distances 0.2 twice, 0.4 (wrong at 0.4), 0.4 (right at 0.6), 0.7 (wrong at 0.7), over five rows.
    expect(calibrationError).toBeCloseTo((0.4 + 0.4 + 0.4 + 0.7) / 5, 12);
  });

  it("without probabilities knows what labels tell", () => {
    const evaluation = new ClassEvaluation(["a", "b"], 2);
    evaluation.add(0, 0);
    evaluation.add(1, -1);
    expect(evaluation.metrics()).toEqual({ accuracy: 0.5, macro_f1: (1 + 0 + 0) / 3 });
    expect(evaluation.detail().calibration).toEqual([]);
  });

  it("has no ROC-AUC where one of two classes does not occur", () => {
    expect(metricsOf(2, [[1, 1, 0.2, 0.8]])).not.toHaveProperty("roc_auc");
  });
});

describe("the evaluation of a regression", () => {
  it("stays finite when the target hardly varies", () => {
    const evaluation = new RegressionEvaluation();
    evaluation.add(0, 5);
    evaluation.add(1e-160, 5);
    expect(Number.isFinite(evaluation.r2)).toBe(true);
  });

  it("tells how its errors are spread", () => {
    const evaluation = new RegressionEvaluation();
    for (let i = 0; i < 100; i++) evaluation.add(i, i + (i % 2 === 0 ? 1 : -1));
    const { residualMean, residualDeviation, residualQuantiles, residuals, deciles } = evaluation.detail();
    expect([residualMean, residualDeviation]).toEqual([0, 1]);
    expect(residualQuantiles).toEqual([-1, -1, -1, 0, 1, 1, 1]);
    expect(residuals?.map(({ rows }) => rows)).toEqual([50n, ...new Array(18).fill(0n), 50n]);
    expect(deciles).toHaveLength(10);
    expect(deciles?.[0]).toMatchObject({ rows: 10n, predicted: 4.5, actual: 4.5 });
  });
});
