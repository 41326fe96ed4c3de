import type { TrainingData } from "../data/training-data.ts";
import { type Candidate, type FitRequest, fitCandidate } from "../recipes/candidate.ts";
import { phase } from "../recipes/phase.ts";
import { measurePipeline, type ReportInit } from "./evaluate.ts";

export interface CrossValidation {
  readonly folds: NonNullable<ReportInit["folds"]>;
  /** "cv_r2", "cv_r2_deviation" …: mean and standard deviation over the folds. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** Trains on k − 1 of `count` folds of the training part and measures on the one left out, `count` times. Told after every fold. */
export async function crossValidate(
  data: TrainingData,
  candidate: Candidate,
  {
    count,
    request,
    onFold,
  }: { count: number; request: Omit<FitRequest, "rows">; onFold?: (so: CrossValidation) => void },
): Promise<CrossValidation> {
  const { signal, report } = request;
  const of = await data.folds(count, signal);
  const scores: { fold: number; rows: bigint; metrics: Record<string, number> }[] = [];
  for (let fold = 0; fold < count; fold++) {
    const own = phase({ ...report, metric() {}, log() {} }, fold / count, (fold + 1) / count);
    const pipeline = await fitCandidate(data, candidate, { ...request, rows: { fold, of, held: false }, report: own });
    const { metrics, rows } = await measurePipeline(data, pipeline, { fold, of, held: true }, { signal });
    scores.push({ fold: fold + 1, rows: BigInt(rows), metrics: { ...metrics } });
    for (const [name, value] of Object.entries(metrics)) report.metric(`cv_${name}`, fold + 1, value);
    onFold?.({ folds: scores, metrics: summarised(scores) });
  }
  return { folds: scores, metrics: summarised(scores) };
}

/** Mean and standard deviation of every metric over folds, with the prefix "cv_". */
export function summarised(
  scores: readonly { readonly metrics: Readonly<Record<string, number>> }[],
): Record<string, number> {
  const names = [...new Set(scores.flatMap(({ metrics }) => Object.keys(metrics)))];
  const pairs = names.flatMap((name): [string, number][] => {
    const values = scores.map(({ metrics }) => metrics[name]).filter((value) => value !== undefined);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    return [
      [`cv_${name}`, mean],
      [`cv_${name}_deviation`, Math.sqrt(variance)],
    ];
  });
  return Object.fromEntries(pairs);
}
