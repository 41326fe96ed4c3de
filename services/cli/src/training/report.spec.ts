import { EvaluationReportSchema, TrialState } from "@aimass/api/trainer";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { reportLines } from "./report.ts";

type Report = MessageInitShape<typeof EvaluationReportSchema>;

const text = (report: Report) => reportLines(create(EvaluationReportSchema, report)).join("\n");

const classification: Report = {
  task: "classification",
  trainRows: 80n,
  testRows: 20n,
  metrics: { accuracy: 0.9, macro_f1: 0.8876, train_accuracy: 0.95, cv_accuracy: 0.88, cv_accuracy_deviation: 0.02 },
  detail: {
    case: "classification",
    value: {
      classes: ["好", "bad"],
      confusion: [9n, 1n, 1n, 9n],
      scores: [
        { label: "好", precision: 0.9, recall: 0.9, f1: 0.9, rocAuc: 0.97, rows: 10n },
        { label: "bad", precision: 0.9, recall: 0.9, f1: 0.9, rows: 10n },
      ],
      calibration: [
        { from: 0.5, to: 0.6, predicted: 0.55, actual: 0.5, rows: 4n },
        { from: 0.9, to: 1, predicted: 0.97, actual: 1, rows: 16n },
      ],
      calibrationError: 0.034,
    },
  },
  importances: [{ column: "word", mean: 0.4, deviation: 0.01 }],
  folds: [{ fold: 1, rows: 27n, metrics: { accuracy: 0.87 } }],
  leakage: { duplicateRows: 2n, examples: ["Row 3 is row 90."] },
  warnings: ["One column holds one value."],
};

describe("the report of a classification", () => {
  it("shows metrics by part, the classes, the mistakes, calibration, importance, folds and leakage", () => {
    const shown = text(classification);
    expect(shown).toContain("80 rows trained on, 20 held out");
    expect(shown).toContain(
      "held out: accuracy 0.9, macro_f1 0.8876\ntraining: accuracy 0.95\nfolds: accuracy 0.88 ± 0.02",
    );
    expect(shown).toMatch(/ {7}好 +bad\n +好 +9 +1\n +bad +1 +9/);
    expect(shown).toMatch(/bad +10 +90\.0 % +90\.0 % +0\.9 +- +█+/);
    expect(shown).toContain("calibration: 3.4 % off");
    expect(shown).toMatch(/word +0\.4 +0\.01 +█{24}/);
    expect(shown).toContain("leakage: 2 held-out rows have a twin among the training rows");
    expect(shown).toContain("warning: One column holds one value.");
    expect(shown).not.toMatch(/undefined|NaN/);
  });

  it("of many classes shows the most frequent mistakes in the place of the matrix", () => {
    const classes = Array.from({ length: 20 }, (_, i) => `class ${i}`);
    const confusion = classes.flatMap((_, i) => classes.map((_, j) => (i === j ? 50n : i === 3 && j === 7 ? 9n : 0n)));
    const shown = text({ task: "classification", detail: { case: "classification", value: { classes, confusion } } });
    expect(shown).toMatch(/most frequent mistakes\n.*\n +class 3 +class 7 +9/);
  });
});

describe("the report of a regression", () => {
  it("shows how the errors lie", () => {
    const residuals = Array.from({ length: 20 }, (_, i) => ({ from: i - 10, to: i - 9, rows: BigInt(i) }));
    const shown = text({
      task: "regression",
      metrics: { r2: 0.5 },
      detail: {
        case: "regression",
        value: {
          residualMean: 0.1,
          residualDeviation: 2,
          residualQuantiles: [-3, -2, -1, 0, 1, 2, 3],
          residuals,
          deciles: [{ from: 0, to: 1, predicted: 0.5, actual: 0.4, rows: 5n }],
        },
      },
    });
    expect(shown).toContain("errors (predicted − actual): 0.1 ± 2");
    expect(shown).toContain("50 % 0 · 75 % 1");
    expect(shown).toMatch(/9 +10 +19 +█{24}/);
  });
});

describe("a leaderboard", () => {
  it("shows the best first as it comes, what was dropped, and why one failed", () => {
    const shown = text({
      leaderboard: [
        { number: 2, recipe: "ridge", score: 0.9, parameters: { l2: 1 }, state: TrialState.DONE, rowsShare: 1 },
        { number: 1, recipe: "lasso", score: 0.2, state: TrialState.DROPPED, rowsShare: 0.1 },
        { number: 3, recipe: "svm", state: TrialState.FAILED, reason: "Too many rows." },
      ],
    });
    expect(shown).toMatch(/2 +ridge +0\.9 .* done +█{12} +l2=1/);
    expect(shown).toMatch(/1 +lasso +0\.2 .* dropped/);
    expect(shown).toMatch(/3 +svm +- .* failed +Too many rows\./);
  });
});
