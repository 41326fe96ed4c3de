import type { ColumnType, Generated, JSONColumnType, Transaction as KyselyTransaction, Selectable } from "kysely";
import type { StateName } from "./jobs/job-state.ts";

/** bigint columns come as text and go as text or number. */
type BigInteger = ColumnType<string, string | number | bigint, string | number | bigint>;
type GeneratedBigInteger = ColumnType<string, string | number | bigint | undefined, string | number | bigint>;

/** The tables of the schema "trainer"; see migrations/. */
export interface Database {
  job: JobTable;
  job_event: JobEventTable;
  job_report: JobReportTable;
  job_checkpoint: JobCheckpointTable;
  job_checkpoint_part: JobCheckpointPartTable;
  turn: TurnTable;
  quota: QuotaTable;
  retraining: RetrainingTable;
  trainer: TrainerTable;
}

/** A transaction on the trainer's schema. */
export type Transaction = KyselyTransaction<Database>;

interface JobTable {
  id: string;
  position: GeneratedBigInteger;
  project: string;
  spec: Buffer;
  state: StateName;
  state_reason: Generated<string>;
  attempt: Generated<number>;
  failures: Generated<number>;
  progress: Generated<number>;
  metrics: JSONColumnType<Record<string, number>, string | undefined, string>;
  model_version: GeneratedBigInteger;
  created_by: string;
  created_at: Generated<Date>;
  started_at: Date | null;
  ended_at: Date | null;
  idempotency_key: string | null;
  traceparent: Generated<string>;
  cancel_requested: Generated<boolean>;
  runnable_at: Generated<Date>;
  lease_holder: string | null;
  lease_expires_at: Date | null;
  sequence: GeneratedBigInteger;
  priority: Generated<number>;
  step: GeneratedBigInteger;
  steps: GeneratedBigInteger;
  loss: number | null;
  remaining_ms: number | null;
  warnings: JSONColumnType<string[], string | undefined, string>;
  alias_moved: Generated<boolean>;
  worker: Generated<string>;
  retraining: Generated<string>;
  batch: GeneratedBigInteger;
  points: Generated<number>;
  trimmed: Generated<boolean>;
  gpus: Generated<number>;
}

/** A job as stored. */
export type JobRow = Selectable<JobTable>;

interface JobEventTable {
  job_id: string;
  sequence: BigInteger;
  at: Generated<Date>;
  job: Buffer | null;
  log_line: string | null;
  metric: Buffer | null;
  passing: Generated<boolean>;
}

interface JobReportTable {
  job_id: string;
  attempt: number;
  report: Buffer;
}

interface JobCheckpointTable {
  id: GeneratedBigInteger;
  job_id: string;
  attempt: number;
  bytes: BigInteger;
  complete: Generated<boolean>;
  created_at: Generated<Date>;
}

interface JobCheckpointPartTable {
  checkpoint_id: BigInteger;
  number: number;
  part: Buffer;
}

interface TurnTable {
  project: string;
  taken_at: Date;
}

interface QuotaTable {
  project: string;
  max_running: number;
  max_queued: number;
  changed_by: string;
  changed_at: Generated<Date>;
}

interface TrainerTable {
  holder: string;
  gpus: number;
  seen_at: Generated<Date>;
}

interface RetrainingTable {
  project: string;
  name: string;
  id: string;
  spec: Buffer;
  on_new_data: boolean;
  every_ms: BigInteger;
  paused: boolean;
  created_by: string;
  created_at: Generated<Date>;
  next_at: Date | null;
  new_version: BigInteger;
  seen_version: BigInteger;
  set_at: Generated<Date>;
  held_until: Generated<Date>;
  last_job_id: Generated<string>;
  last_error: Generated<string>;
}

/** A rule that trains again, as stored. */
export type RetrainingRow = Selectable<RetrainingTable>;
