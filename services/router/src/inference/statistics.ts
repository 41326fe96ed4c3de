import {
  type InferBatchStatistics,
  type InferStatistics,
  InferStatisticsSchema,
  type ModelStatistics,
  ModelStatisticsSchema,
  type StatisticDuration,
  StatisticDurationSchema,
} from "@aimass/api/inference";
import { create } from "@bufbuild/protobuf";

const durationNames = [
  "success",
  "fail",
  "queue",
  "computeInput",
  "computeInfer",
  "computeOutput",
  "cacheHit",
  "cacheMiss",
] as const;

/** Adds up what several replicas counted of one version. All durations are present in the result: clients read them unasked. */
export function mergeStatistics(name: string, version: string, parts: readonly ModelStatistics[]): ModelStatistics {
  return create(ModelStatisticsSchema, {
    name,
    version,
    lastInference: parts.map((p) => p.lastInference).sort((a, b) => (a < b ? 1 : -1))[0] ?? 0n,
    inferenceCount: parts.reduce((sum, p) => sum + p.inferenceCount, 0n),
    executionCount: parts.reduce((sum, p) => sum + p.executionCount, 0n),
    inferenceStats: mergeDurations(parts.flatMap((p) => p.inferenceStats ?? [])),
    batchStats: mergeBatches(parts.flatMap((p) => p.batchStats)),
    memoryUsage: parts.flatMap((p) => p.memoryUsage),
  });
}

function mergeDurations(parts: readonly InferStatistics[]): InferStatistics {
  const merged = create(InferStatisticsSchema);
  for (const name of durationNames) merged[name] = addDurations(parts.map((p) => p[name]));
  return merged;
}

function mergeBatches(batches: readonly InferBatchStatistics[]): InferBatchStatistics[] {
  const bySize = Map.groupBy(batches, (batch) => batch.batchSize);
  const sizes = [...bySize.keys()].sort((a, b) => (a < b ? -1 : 1));
  return sizes.map((size) => {
    const same = bySize.get(size) as [InferBatchStatistics, ...InferBatchStatistics[]];
    return {
      ...same[0],
      computeInput: addDurations(same.map((b) => b.computeInput)),
      computeInfer: addDurations(same.map((b) => b.computeInfer)),
      computeOutput: addDurations(same.map((b) => b.computeOutput)),
    };
  });
}

function addDurations(parts: readonly (StatisticDuration | undefined)[]): StatisticDuration {
  const sum = create(StatisticDurationSchema);
  for (const part of parts) {
    sum.count += part?.count ?? 0n;
    sum.ns += part?.ns ?? 0n;
  }
  return sum;
}
