import { describe, expect, it } from "vitest";
import { ClassEvaluation } from "./class-evaluation.ts";
import { Evaluation } from "./evaluation.ts";

type Row = readonly [actual: number, predicted: number, ...probabilities: number[]];

function metricsOf(classes: number, rows: readonly Row[]) {
  const evaluation = new ClassEvaluation(classes);
  for (const [actual, predicted, ...p] of rows) evaluation.add(actual, predicted, Float64Array.from(p));
  return evaluation.metrics();
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
    expect(metrics).not.toHaveProperty("roc_auc");
  });

  it("has no ROC-AUC where one of two classes does not occur", () => {
    expect(metricsOf(2, [[1, 1, 0.2, 0.8]])).not.toHaveProperty("roc_auc");
  });
});

describe("the evaluation of a regression", () => {
  it("stays finite when the target hardly varies", () => {
    const evaluation = new Evaluation();
    evaluation.add(0, 5);
    evaluation.add(1e-160, 5);
    expect(Number.isFinite(evaluation.r2)).toBe(true);
  });
});
