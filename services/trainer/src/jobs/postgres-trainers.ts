import type { Store } from "@aimass/store";
import { sql } from "kysely";
import type { Database, Transaction } from "../database.ts";

/** How long a trainer that went quiet is reckoned with: it may be on its way back, for instance as a newer release. */
const awaitedMs = 60_000;

/** The trainers that run jobs, and how many devices each has: what is too much for one may be for another. */
export class PostgresTrainers {
  readonly #store: Store<Database>;

  constructor(store: Store<Database>) {
    this.#store = store;
  }

  /** Says that a trainer is there. Those that were not for a day are forgotten. */
  async announce(holder: string, gpus: number): Promise<void> {
    await this.#store.db
      .insertInto("trainer")
      .values({ holder, gpus })
      .onConflict((c) => c.column("holder").doUpdateSet({ gpus, seen_at: sql<Date>`clock_timestamp()` }))
      .execute();
    await this.#store.db
      .deleteFrom("trainer")
      .where("seen_at", "<", sql<Date>`clock_timestamp() - interval '1 day'`)
      .execute();
  }

  /** Devices of the trainer that has most; undefined while none is known. */
  mostGpus(): Promise<number | undefined> {
    return mostGpus(this.#store.db);
  }
}

/** As PostgresTrainers.mostGpus, inside a transaction. */
export async function mostGpus(db: Pick<Transaction, "selectFrom">): Promise<number | undefined> {
  const row = await db
    .selectFrom("trainer")
    .select((e) => e.fn.max("gpus").as("most"))
    .where("seen_at", ">", sql<Date>`clock_timestamp() - ${awaitedMs} * interval '1 millisecond'`)
    .executeTakeFirst();
  return row?.most ?? undefined;
}
