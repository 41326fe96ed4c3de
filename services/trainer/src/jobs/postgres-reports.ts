import { type EvaluationReport, EvaluationReportSchema } from "@aimass/api/trainer";
import type { Store } from "@aimass/store";
import { fromBinary } from "@bufbuild/protobuf";
import type { Database, Transaction } from "../database.ts";

/** What is known of the models that jobs make. */
export class PostgresReports {
  readonly #store: Store<Database>;

  constructor(store: Store<Database>) {
    this.#store = store;
  }

  async find(jobId: string): Promise<EvaluationReport | undefined> {
    const row = await this.#store.db
      .selectFrom("job_report")
      .select("report")
      .where("job_id", "=", jobId)
      .executeTakeFirst();
    return row && fromBinary(EvaluationReportSchema, row.report);
  }
}

/** Replaces a job's report. The transaction holds the job. */
export async function storeReport(tx: Transaction, job: { id: string; attempt: number }, report: Uint8Array) {
  const values = { attempt: job.attempt, report: Buffer.from(report) };
  await tx
    .insertInto("job_report")
    .values({ job_id: job.id, ...values })
    .onConflict((c) => c.column("job_id").doUpdateSet(values))
    .execute();
}
