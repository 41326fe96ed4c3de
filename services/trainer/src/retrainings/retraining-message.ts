import { JobSpecSchema, type Retraining, RetrainingSchema } from "@aimass/api/trainer";
import { create, fromBinary } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { RetrainingRow } from "../database.ts";

/** A stored rule as callers see it. */
export function retrainingMessage(row: RetrainingRow): Retraining {
  const isTimed = row.every_ms !== "0";
  return create(RetrainingSchema, {
    project: row.project,
    name: row.name,
    spec: fromBinary(JobSpecSchema, row.spec),
    onNewData: row.on_new_data,
    ...(isTimed && { every: durationFromMs(Number(row.every_ms)) }),
    paused: row.paused,
    createdBy: row.created_by,
    createdAt: timestampFromDate(row.created_at),
    ...(isTimed && !row.paused && row.next_at !== null && { nextAt: timestampFromDate(row.next_at) }),
    lastJobId: row.last_job_id,
    lastError: row.last_error,
  });
}
