import { type ColumnRange, FeatureBaseline } from "../table/baseline.ts";
import { type CsvSource, csvPart, readCsvRows } from "../table/csv-table.ts";
import { Evaluation } from "../table/evaluation.ts";
import { type Gate, passGate } from "../table/gate.ts";
import type { FittedModel, Reporter, StreamedRecipe } from "./recipe.ts";

/** Everything a training depends on. */
export interface TrainInput {
  readonly recipe: StreamedRecipe;
  readonly source: CsvSource;
  readonly ranges: readonly ColumnRange[];
  readonly parameters: Readonly<Record<string, number>>;
  readonly gate: Gate | undefined;
  readonly report: Reporter;
  /** Told before the gate speaks, so that a model that is held back has its numbers too. */
  readonly onEvaluated?: (metrics: Readonly<Record<string, number>>) => void;
  readonly signal: AbortSignal;
}

/** What a training leaves. */
export interface TrainedModel {
  readonly onnx: Uint8Array;
  /** Of the held-out part by name, and of the training part with the prefix "train_". */
  readonly metrics: Readonly<Record<string, number>>;
  readonly baselineJson: string;
}

/** Share of a job's progress that fitting takes; evaluation takes the rest up to `trainedShare`. */
const fitShare = 0.5;
const trainedShare = 0.9;

/** fit → evaluate → gate → export. The split is part of `source`. Errors: those of the recipe, the data and the gate. */
export async function train(input: TrainInput): Promise<TrainedModel> {
  const { recipe, source, report, signal, parameters, gate } = input;
  const { trainRows, testRows } = source.split;
  report.log(`${trainRows} rows for training, ${testRows} held out (seed ${source.split.seed}).`);
  const fitReport: Reporter = {
    progress: (fraction, doing) => report.progress(fraction * fitShare, doing),
    log: (line) => report.log(line),
  };
  const model = await recipe.fit({ table: csvPart(source, "train"), parameters, report: fitReport, signal });
  const { metrics, baselineJson } = await evaluate(model, input);
  report.log(`held-out: ${shown(metrics)}`);
  input.onEvaluated?.(metrics);
  passGate(gate, metrics);
  report.progress(trainedShare, "exporting");
  return { onnx: model.toOnnx(), metrics, baselineJson };
}

async function evaluate(model: FittedModel, { source, ranges, report, signal }: TrainInput) {
  const heldOut = new Evaluation();
  const training = new Evaluation();
  const baseline = new FeatureBaseline(ranges);
  const rows = source.split.trainRows + source.split.testRows;
  let row = 0;
  for await (const { values, target, heldOut: isHeldOut } of readCsvRows(source, signal)) {
    (isHeldOut ? heldOut : training).add(target, model.predict(values));
    if (!isHeldOut) baseline.add(values);
    if (++row % 1000 === 0) report.progress(fitShare + (trainedShare - fitShare) * (row / rows), "evaluating");
  }
  return { metrics: { ...heldOut.metrics(), ...training.metrics("train_") }, baselineJson: baseline.toJson() };
}

function shown(metrics: Readonly<Record<string, number>>): string {
  return ["r2", "rmse", "mae"].map((name) => `${name} ${Number((metrics[name] ?? 0).toPrecision(6))}`).join(", ");
}
