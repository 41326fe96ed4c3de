import { type Quarantined, QuarantinedSchema, type ReplicaExit } from "@aimass/api/scheduler";
import type { EventBus } from "@aimass/events";
import { formatResource, parseModelName } from "@aimass/identity";
import { create } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import type { Changes } from "../changes.ts";
import type { SchedulerStore, SchedulerTransaction } from "../database.ts";

/** A version that was running in this many crashes, none longer ago than the window, is taken out. */
const crashLimit = 2;
const crashWindow = sql`interval '1 hour'`;

/** Crash notes and what follows from them. */
export class Quarantine {
  readonly #store: SchedulerStore;
  readonly #changes: Changes;
  readonly #bus: EventBus;

  constructor(store: SchedulerStore, changes: Changes, bus: EventBus) {
    this.#store = store;
    this.#changes = changes;
    this.#bus = bus;
  }

  /** Counts the versions that were running when processes died. The same exit told twice counts once. */
  record(exits: readonly ReplicaExit[]): Promise<void> {
    return this.#store.withTransaction(async (tx) => {
      for (const exit of exits) {
        for (const { project, model, version } of exit.running) {
          const key = formatResource(project || "default", model);
          const crash = { key, version: String(version), replica: exit.replicaId, incarnation: exit.incarnation };
          const at = exit.at === undefined ? new Date() : timestampDate(exit.at);
          const { numInsertedOrUpdatedRows: added } = await tx
            .insertInto("crash")
            .values({ ...crash, at })
            .onConflict((conflict) => conflict.doNothing())
            .executeTakeFirst();
          if (added === 1n) await this.#judge(tx, key, version);
        }
      }
    });
  }

  /** One more than `size`, by model and version, after one. */
  async list({ size, after }: { size: number; after: readonly string[] | undefined }): Promise<Quarantined[]> {
    let query = this.#store.db.selectFrom("quarantine").selectAll().orderBy("key").orderBy("version");
    if (after !== undefined) query = query.where(sql<boolean>`(key, version) > (${after[0]}, ${after[1]}::bigint)`);
    const rows = await query.limit(size + 1).execute();
    return rows.map((row) => {
      const { project, model } = parseModelName(row.key);
      const { crashes, since } = row;
      return create(QuarantinedSchema, {
        project,
        model,
        version: BigInt(row.version),
        crashes,
        since: timestampFromDate(since),
      });
    });
  }

  /** Forgets the crashes of a version. Nothing happens to one that is not quarantined. */
  release(key: string, version: bigint, actor: string): Promise<void> {
    return this.#store.withTransaction(async (tx) => {
      await tx.deleteFrom("crash").where("key", "=", key).where("version", "=", String(version)).execute();
      const { numDeletedRows } = await tx
        .deleteFrom("quarantine")
        .where("key", "=", key)
        .where("version", "=", String(version))
        .executeTakeFirst();
      if (numDeletedRows > 0n) await this.#tell(tx, { key, version, crashes: 0, actor, quarantined: false });
    });
  }

  async #judge(tx: SchedulerTransaction, key: string, version: bigint): Promise<void> {
    const { count } = await tx
      .selectFrom("crash")
      .select((e) => e.fn.countAll<string>().as("count"))
      .where("key", "=", key)
      .where("version", "=", String(version))
      .where("at", ">", sql<Date>`now() - ${crashWindow}`)
      .executeTakeFirstOrThrow();
    const crashes = Number(count);
    if (crashes < crashLimit) return;
    await tx
      .insertInto("quarantine")
      .values({ key, version: String(version), crashes })
      .onConflict((conflict) => conflict.columns(["key", "version"]).doUpdateSet({ crashes }))
      .execute();
    await this.#tell(tx, { key, version, crashes, actor: "service:scheduler", quarantined: true });
  }

  async #tell(
    tx: SchedulerTransaction,
    fact: { key: string; version: bigint; crashes: number; actor: string; quarantined: boolean },
  ): Promise<void> {
    const { project, model } = parseModelName(fact.key);
    const { version, quarantined, crashes } = fact;
    await this.#bus.publishFrom(tx, {
      actor: fact.actor,
      resource: fact.key,
      audited: true,
      payload: { case: "quarantineChanged", value: { project, model, version, quarantined, crashes } },
    });
    await this.#changes.tell(tx, "fleet");
  }
}
