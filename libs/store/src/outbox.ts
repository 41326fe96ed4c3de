import { sql, type Transaction } from "kysely";
import type { Store } from "./store.ts";

/** A message that waits to be published. */
export interface OutboxEntry {
  /** Unique; makes publishing idempotent. */
  readonly id: string;
  readonly subject: string;
  readonly payload: Uint8Array;
}

/** The channel on which a schema's outbox tells of new entries. */
export function outboxChannel(schema: string): string {
  return `${schema}_outbox`;
}

/** Writes a message in the caller's transaction and wakes the relay when that commits. */
export async function appendOutbox<Database>(tx: Transaction<Database>, entry: OutboxEntry): Promise<void> {
  await sql`insert into outbox (id, subject, payload) values (${entry.id}, ${entry.subject}, ${entry.payload})`.execute(
    tx,
  );
  await sql`select pg_notify(current_schema() || '_outbox', '')`.execute(tx);
}

/** What a turn of the relay came to: how many entries left the outbox, or that another process was at it. */
export type DrainResult = { readonly kind: "drained"; readonly count: number } | { readonly kind: "held elsewhere" };

/**
 * Takes the oldest entries, publishes them in order, and removes them once `publish` has confirmed. One process at a time does this per schema (a transaction's
 * advisory lock), because two at once would break the order. When anything fails nothing is removed, so that entries are published again: at least once.
 */
export function drainOutbox<Database>(
  store: Store<Database>,
  publish: (entries: readonly OutboxEntry[]) => Promise<void>,
  limit = 100,
): Promise<DrainResult> {
  return store.db.transaction().execute(async (tx) => {
    const lockName = `aimass.outbox.${store.schema}`;
    const lock = await sql<{
      held: boolean;
    }>`select pg_try_advisory_xact_lock(hashtextextended(${lockName}, 0)) as held`.execute(tx);
    if (lock.rows[0]?.held !== true) return { kind: "held elsewhere" };
    const { rows } =
      await sql<OutboxEntry>`select id, subject, payload from outbox order by position limit ${limit}`.execute(tx);
    if (rows.length > 0) {
      await publish(rows);
      await sql`delete from outbox where id = any(${rows.map((row) => row.id)})`.execute(tx);
    }
    return { kind: "drained", count: rows.length };
  });
}
