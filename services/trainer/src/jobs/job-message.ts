import { type Job, JobSchema, JobSpecSchema } from "@aimass/api/trainer";
import { create, fromBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { JobRow } from "../database.ts";
import { wireState } from "./job-state.ts";

/** A stored job as callers see it. */
export function jobMessage(row: JobRow): Job {
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
  });
}
