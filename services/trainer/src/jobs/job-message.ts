import { type Job, JobSchema, JobSpecSchema } from "@aimass/api/trainer";
import { create, fromBinary } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { JobRow } from "../database.ts";
import { wireState } from "./job-state.ts";

/** A stored job as callers see it. */
export function jobMessage(row: JobRow): Job {
  const isRemainingKnown = row.state === "RUNNING" && row.remaining_ms !== null;
  return create(JobSchema, {
    id: row.id,
    spec: fromBinary(JobSpecSchema, row.spec),
    state: wireState(row.state),
    stateReason: row.state_reason,
    attempt: row.attempt,
    progress: row.progress,
    metrics: row.metrics,
    modelVersion: BigInt(row.model_version),
    createdBy: row.created_by,
    createdAt: timestampFromDate(row.created_at),
    ...(row.started_at !== null && { startedAt: timestampFromDate(row.started_at) }),
    ...(row.ended_at !== null && { endedAt: timestampFromDate(row.ended_at) }),
    step: BigInt(row.step),
    steps: BigInt(row.steps),
    ...(row.loss !== null && { loss: row.loss }),
    ...(isRemainingKnown && { remaining: durationFromMs(Math.round(row.remaining_ms ?? 0)) }),
    warnings: row.warnings,
    aliasMoved: row.alias_moved,
    worker: row.worker,
    retraining: row.retraining,
  });
}
