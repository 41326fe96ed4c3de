import type { ColumnType, Generated, JSONColumnType, Transaction as KyselyTransaction, Selectable } from "kysely";
import type { StateName } from "./jobs/job-state.ts";

/** bigint columns come as text and go as text or number. */
type BigInteger = ColumnType<string, string | number | bigint, string | number | bigint>;
type GeneratedBigInteger = ColumnType<string, string | number | bigint | undefined, string | number | bigint>;

/** The tables of the schema "trainer"; see migrations/. */
export interface Database {
  job: JobTable;
  job_event: JobEventTable;
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
}

/** A job as stored. */
export type JobRow = Selectable<JobTable>;

interface JobEventTable {
  job_id: string;
  sequence: BigInteger;
  at: Generated<Date>;
  job: Buffer | null;
  log_line: string | null;
}
