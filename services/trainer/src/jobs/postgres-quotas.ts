import { Change } from "@aimass/api/events";
import type { EventBus } from "@aimass/events";
import type { Store } from "@aimass/store";
import { sql } from "kysely";
import type { Database, Transaction } from "../database.ts";
import { queueChannel } from "./job-journal.ts";

/** Bounds of a project; 0: none. */
export interface Quota {
  readonly maxRunning: number;
  readonly maxQueued: number;
}

/** What a project may use at once: its own bounds, else those for all. */
export class PostgresQuotas {
  readonly #store: Store<Database>;
  readonly #bus: EventBus;
  /** Of projects without bounds of their own. */
  readonly defaults: Quota;

  constructor(store: Store<Database>, bus: EventBus, defaults: Quota) {
    this.#store = store;
    this.#bus = bus;
    this.defaults = defaults;
  }

  async find(project: string, db: Pick<Transaction, "selectFrom"> = this.#store.db): Promise<Quota> {
    const row = await db.selectFrom("quota").selectAll().where("project", "=", project).executeTakeFirst();
    return row === undefined ? this.defaults : { maxRunning: row.max_running, maxQueued: row.max_queued };
  }

  /** How much of it is used. */
  async usage(project: string): Promise<{ running: number; queued: number }> {
    const { rows } = await sql<{ running: number; queued: number }>`
      select (select count(*)::int from job where project = ${project} and state in ('LEASED', 'RUNNING')) as running,
        (select count(*)::int from job where project = ${project} and state = 'QUEUED') as queued
    `.execute(this.#store.db);
    return rows[0] ?? { running: 0, queued: 0 };
  }

  /** Goes into the audit ledger, and wakes trainers: a wider bound lets jobs run that waited. */
  async set(project: string, quota: Quota, by: { actor: string; traceparent: string }): Promise<void> {
    await this.#store.withTransaction(async (tx) => {
      const values = { max_running: quota.maxRunning, max_queued: quota.maxQueued, changed_by: by.actor };
      await tx
        .insertInto("quota")
        .values({ project, ...values })
        .onConflict((c) => c.column("project").doUpdateSet({ ...values, changed_at: sql`clock_timestamp()` }))
        .execute();
      await this.#store.notify(tx, queueChannel);
      const detail = `training quota: ${shown(quota.maxRunning)} running, ${shown(quota.maxQueued)} queued`;
      await this.#bus.publishFrom(tx, {
        ...by,
        resource: project,
        audited: true,
        payload: { case: "projectChanged", value: { project, change: Change.UPDATED, detail } },
      });
    });
  }
}

function shown(bound: number): string {
  return bound === 0 ? "any number" : String(bound);
}
