import type { CalibrationBin, ClassificationDetail, EvaluationReport, RegressionDetail } from "@aimass/api/trainer";
import { bar, numberTable, percent, short } from "../output/charts.ts";
import { leaderboardLines } from "./leaderboard.ts";

/** More classes than this are told by their most frequent mistakes. */
const matrixClasses = 12;
const shownClasses = 30;
const shownMistakes = 15;
const shownImportances = 20;

/** A job's report as lines for a terminal. */
export function reportLines(report: EvaluationReport): string[] {
  const { detail } = report;
  return [
    `${report.task}: ${rowsLine(report)}`,
    ...metricsLine(report.metrics),
    ...(detail.case === "regression" ? regressionLines(detail.value) : []),
    ...(detail.case === "classification" ? classificationLines(detail.value) : []),
    ...importanceLines(report),
    ...foldLines(report),
    ...(report.leaderboard.length === 0 ? [] : section("what was tried", leaderboardLines(report.leaderboard))),
    ...leakageLines(report),
    ...report.warnings.map((warning) => `warning: ${warning}`),
  ];
}

/** "held out: accuracy 0.93, …", then training, validation and folds, a line each where there are any. */
export function metricsLine(metrics: Readonly<Record<string, number>>): string[] {
  const parts = [
    ["held out", ""],
    ["training", "train_"],
    ["validation", "validation_"],
    ["folds", "cv_"],
  ] as const;
  const partOf = (name: string) => parts.findLast(([, prefix]) => name.startsWith(prefix))?.[0];
  return parts.flatMap(([part, prefix]) => {
    const own = Object.entries(metrics).filter(([name]) => partOf(name) === part);
    own.sort(([a], [b]) => rankOf(a.slice(prefix.length)) - rankOf(b.slice(prefix.length)) || (a < b ? -1 : 1));
    if (own.length === 0) return [];
    const shown = own
      .filter(([name]) => !name.endsWith("_deviation"))
      .map(([name, value]) => `${name.slice(prefix.length)} ${short(value)}${spread(metrics[`${name}_deviation`])}`);
    return [`${part}: ${shown.join(", ")}`];
  });
}

function spread(deviation: number | undefined): string {
  return deviation === undefined ? "" : ` ± ${short(deviation)}`;
}

const metricOrder = ["r2", "rmse", "mae", "accuracy", "macro_f1", "roc_auc", "log_loss"];

function rankOf(metric: string): number {
  const rank = metricOrder.indexOf(metric);
  return rank === -1 ? metricOrder.length : rank;
}

function rowsLine({ trainRows, validationRows, testRows }: EvaluationReport): string {
  const validation = validationRows > 0n ? `, ${validationRows} for validation` : "";
  return `${trainRows} rows trained on${validation}, ${testRows} held out`;
}

function section(title: string, lines: readonly string[]): string[] {
  return ["", title, ...lines.map((line) => `  ${line}`)];
}

function regressionLines(detail: RegressionDetail): string[] {
  const most = Math.max(1, ...detail.residuals.map(({ rows }) => Number(rows)));
  const names = ["0 %", "5 %", "25 %", "50 %", "75 %", "95 %", "100 %"];
  return [
    ...section(`errors (predicted − actual): ${short(detail.residualMean)} ± ${short(detail.residualDeviation)}`, [
      ...numberTable(
        ["from", "to", "rows", ""],
        detail.residuals.map((bin) => [short(bin.from), short(bin.to), String(bin.rows), bar(Number(bin.rows) / most)]),
      ),
      detail.residualQuantiles.map((value, i) => `${names[i]} ${short(value)}`).join(" · "),
    ]),
    ...section("by tenths of the predicted value", calibrationTable(detail.deciles, short)),
  ];
}

function classificationLines(detail: ClassificationDetail): string[] {
  const scores = detail.scores.slice(0, shownClasses);
  const left = detail.scores.length - scores.length;
  return [
    ...section("classes", [
      ...numberTable(
        ["class", "rows", "precision", "recall", "F1", "ROC-AUC", ""],
        scores.map((s) => [
          s.label,
          String(s.rows),
          percent(s.precision),
          percent(s.recall),
          short(s.f1),
          short(s.rocAuc),
          bar(s.f1),
        ]),
      ),
      ...(left > 0 ? [`and ${left} more`] : []),
    ]),
    ...confusionLines(detail),
    ...section(
      `calibration: ${percent(detail.calibrationError)} off`,
      calibrationTable(
        detail.calibration.filter(({ rows }) => rows > 0n),
        percent,
      ),
    ),
    ...(detail.unknownRows > 0n ? [`${detail.unknownRows} rows are of classes that training did not see`] : []),
  ];
}

function confusionLines({ classes, confusion }: ClassificationDetail): string[] {
  const count = classes.length;
  if (confusion.length !== count * count || count === 0) return [];
  if (count > matrixClasses) return section("most frequent mistakes", mistakes(classes, confusion));
  const rows = classes.map((actual, i) => [actual, ...confusion.slice(i * count, (i + 1) * count).map(String)]);
  return section("confusion: actual down, predicted across", numberTable(["", ...classes], rows));
}

function mistakes(classes: readonly string[], confusion: readonly bigint[]): string[] {
  const pairs = confusion
    .map((rows, i) => ({ actual: Math.floor(i / classes.length), predicted: i % classes.length, rows }))
    .filter(({ actual, predicted, rows }) => actual !== predicted && rows > 0n)
    .sort((a, b) => Number(b.rows - a.rows))
    .slice(0, shownMistakes);
  const cells = pairs.map((p) => [classes[p.actual] ?? "", classes[p.predicted] ?? "", String(p.rows)]);
  return cells.length === 0 ? ["none"] : numberTable(["actual", "predicted", "rows"], cells);
}

function calibrationTable(bins: readonly CalibrationBin[], show: (value: number) => string): string[] {
  const largest = Math.max(...bins.map((bin) => Math.abs(bin.actual)), Number.MIN_VALUE);
  return numberTable(
    ["predicted", "actual", "rows", ""],
    bins.map((bin) => [show(bin.predicted), show(bin.actual), String(bin.rows), bar(Math.abs(bin.actual) / largest)]),
  );
}

function importanceLines({ importances, task }: EvaluationReport): string[] {
  if (importances.length === 0) return [];
  const largest = Math.max(...importances.map(({ mean }) => mean), Number.MIN_VALUE);
  const metric = task === "regression" ? "R²" : "accuracy";
  return section(
    `importance: ${metric} lost when a column is shuffled`,
    numberTable(
      ["column", "lost", "±", ""],
      importances
        .slice(0, shownImportances)
        .map((c) => [c.column, short(c.mean), short(c.deviation), bar(c.mean / largest)]),
    ),
  );
}

function foldLines({ folds }: EvaluationReport): string[] {
  if (folds.length === 0) return [];
  const names = Object.keys(folds[0]?.metrics ?? {});
  const rows = folds.map((f) => [String(f.fold), String(f.rows), ...names.map((name) => short(f.metrics[name]))]);
  return section("folds", numberTable(["fold", "rows", ...names], rows));
}

function leakageLines({ leakage }: EvaluationReport): string[] {
  if (leakage === undefined) return [];
  const { duplicateRows, validationRows, sharedGroups } = leakage;
  const found = [
    ...(duplicateRows > 0n ? [`${duplicateRows} held-out rows have a twin among the training rows`] : []),
    ...(validationRows > 0n ? [`${validationRows} validation rows have one`] : []),
    ...(sharedGroups > 0n ? [`${sharedGroups} groups are in two parts`] : []),
  ];
  return found.length === 0 ? [] : section(`leakage: ${found.join(", ")}`, leakage.examples);
}
