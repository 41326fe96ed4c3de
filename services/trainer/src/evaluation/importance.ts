import { type Batch, decodeImages, Random } from "@aimass/learn";
import { seedOf } from "../data/split-plan.ts";
import type { TrainingData } from "../data/training-data.ts";
import type { Reporter } from "../recipes/recipe.ts";
import type { Predictor } from "./answer.ts";
import { concatenated, firstRows, reordered, withoutColumn } from "./batches.ts";
import { type ReportInit, TaskEvaluation } from "./evaluate.ts";

export interface ImportanceOptions {
  /** How often each column is shuffled; 0: 3; less: nothing is measured. */
  readonly repeats: number;
  readonly seed: bigint;
  /** Columns the model reads. */
  readonly columns: readonly string[];
  readonly report: Reporter;
  readonly signal: AbortSignal;
}

type Importances = NonNullable<ReportInit["importances"]>;

const defaultRepeats = 3;
const mostRows = 5000;
const fewestRows = 200;
/** About how long it may take: for a slow model of many columns fewer rows are looked at. */
const budgetMs = 30_000;

/**
 * By how much a model is worse when a column is shuffled among held-out rows (Breiman 2001), largest first. Looks at a sample of the rows that the seed decides.
 * None for pictures: they are one column.
 */
export async function importancesOf(
  data: TrainingData,
  predictor: Predictor,
  { repeats: asked, seed, columns, report, signal }: ImportanceOptions,
): Promise<Importances> {
  const repeats = asked === 0 ? defaultRepeats : asked;
  if (data.format === "image-zip" || repeats < 1) return [];
  const whole = await sampleOf(data, signal);
  const startedAt = performance.now();
  await scoreOf(data, predictor, whole);
  const expectedMs = (performance.now() - startedAt) * repeats * columns.length;
  const sample = firstRows(whole, Math.max(fewestRows, Math.floor(whole.rows * Math.min(1, budgetMs / expectedMs))));
  if (sample.rows < 2) return [];
  const asItIs = await scoreOf(data, predictor, sample);
  const random = new Random(seedOf(seed));
  const importances: { column: string; mean: number; deviation: number }[] = [];
  for (const [i, column] of columns.entries()) {
    const losses: number[] = [];
    for (let repeat = 0; repeat < repeats; repeat++) {
      signal.throwIfAborted();
      losses.push(asItIs - (await scoreOf(data, predictor, reordered(sample, column, shuffle(sample.rows, random)))));
    }
    importances.push({ column, ...spread(losses) });
    report.progress((i + 1) / columns.length, "measuring the importance of columns");
  }
  return importances.sort((a, b) => b.mean - a.mean);
}

async function sampleOf(data: TrainingData, signal: AbortSignal): Promise<Batch> {
  const share = Math.min(1, mostRows / Math.max(1, data.rows.test));
  const batches: Batch[] = [];
  for await (const batch of data.batches({ part: "test" }, { share, signal }))
    batches.push(await decodeImages(batch, signal));
  return concatenated(batches);
}

/** "r2" or "accuracy". */
async function scoreOf(data: TrainingData, predictor: Predictor, batch: Batch): Promise<number> {
  const evaluation = new TaskEvaluation(data, batch.rows);
  const target = batch.columns.get(data.target);
  if (target === undefined) return 0;
  const answer = await predictor.predict(withoutColumn(batch, data.target));
  evaluation.add(target as Parameters<TaskEvaluation["add"]>[0], answer);
  return evaluation.score();
}

function shuffle(rows: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  random.shuffle(order);
  return order;
}

function spread(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}
