import type { Store } from "@aimass/store";
import type { Database } from "../database.ts";
import { cancelChannel, type JobJournal } from "./job-journal.ts";

const jobsAtOnce = 100;

/** What projects that were deleted leave here: a later project of the same name begins with nothing. */
export class DeletedProjects {
  readonly #store: Store<Database>;
  readonly #journal: JobJournal;

  constructor({ store, journal }: { store: Store<Database>; journal: JobJournal }) {
    this.#store = store;
    this.#journal = journal;
  }

  /**
   * Removes the rules, jobs, bounds and turn of a project that was deleted then; its running jobs stop. What is younger is of a later project. The audit ledger is told of each job.
   * Bears repetition.
   */
  async forget(project: string, deletedAt: Date): Promise<void> {
    const { db } = this.#store;
    // First, so that none begins a job meanwhile.
    await db.deleteFrom("retraining").where("project", "=", project).where("set_at", "<=", deletedAt).execute();
    while ((await this.#removeSome(project, deletedAt)) === jobsAtOnce);
    await db.deleteFrom("quota").where("project", "=", project).where("changed_at", "<=", deletedAt).execute();
    await db.deleteFrom("turn").where("project", "=", project).where("taken_at", "<=", deletedAt).execute();
  }

  /** How many jobs were removed. */
  #removeSome(project: string, deletedAt: Date): Promise<number> {
    return this.#store.withTransaction(async (tx) => {
      const ofProject = tx.selectFrom("job").selectAll().where("project", "=", project);
      const old = ofProject.where("created_at", "<=", deletedAt).orderBy("id").limit(jobsAtOnce);
      const rows = await old.forUpdate().execute();
      for (const row of rows) {
        await this.#journal.remove(tx, row, { actor: "service:trainer", traceparent: row.traceparent });
        // Whoever runs it finds that it is gone.
        if (row.lease_holder !== null) await this.#store.notify(tx, cancelChannel, row.id);
      }
      return rows.length;
    });
  }
}
