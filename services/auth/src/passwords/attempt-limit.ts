import { AimassError, type Clock } from "@aimass/core";
import { sql } from "kysely";
import type { AuthStore } from "../database.ts";

/** Wrong passwords that cost nothing but themselves; after them each failure doubles the wait. */
const freeFailures = { user: 5, address: 20 } as const;
const longestWaitSeconds = 300;
/** After this long without a failure all is forgotten. */
const memorySeconds = 3600;

/** Whose attempts are counted. */
export interface AttemptSource {
  readonly user: string;
  /** Empty when it is not known. */
  readonly address: string;
}

/**
 * Slows down who guesses passwords. Counted in PostgreSQL, so that the limit holds over all auth processes and restarts. Each attempt counts as failed from
 * its beginning until it succeeds; many at once therefore gain nothing. The effect: five wrong passwords for a user are free, then the user waits 1, 2, 4 …
 * 300 s between attempts; an address has twenty free.
 */
export class AttemptLimit {
  readonly #store: AuthStore;
  readonly #clock: Clock;

  constructor(store: AuthStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Counts an attempt. Throws RESOURCE_EXHAUSTED with the wait when the user or the address is blocked. */
  async begin(source: AttemptSource): Promise<void> {
    for (const kind of ["user", "address"] as const) {
      if (source[kind] !== "") await this.#count(`${kind}:${source[kind]}`, freeFailures[kind]);
    }
  }

  /** Takes back what `begin` counted, and forgives the user. */
  async succeed(source: AttemptSource): Promise<void> {
    await sql`delete from sign_in_attempt where bucket = ${`user:${source.user}`}`.execute(this.#store.db);
    await sql`
      update sign_in_attempt set failures = greatest(failures - 1, 0), blocked_until = null
      where bucket = ${`address:${source.address}`}`.execute(this.#store.db);
  }

  /** Forgets what is too old to matter. */
  async forgetOld(): Promise<void> {
    const before = new Date(this.#clock.now() - memorySeconds * 1000);
    await this.#store.db.deleteFrom("sign_in_attempt").where("last_at", "<", before).execute();
  }

  async #count(bucket: string, free: number): Promise<void> {
    const now = new Date(this.#clock.now());
    const forgotten = new Date(now.getTime() - memorySeconds * 1000);
    const { rows } = await sql`
      insert into sign_in_attempt as a (bucket, failures, last_at) values (${bucket}, 1, ${now})
      on conflict (bucket) do update set
        failures = case when a.last_at < ${forgotten} then 1 else least(a.failures + 1, 1000) end,
        blocked_until = case when a.last_at >= ${forgotten} and a.failures + 1 > ${free}
          then ${now}::timestamptz + least(power(2, least(a.failures - ${free}, 20)), ${longestWaitSeconds}) * interval '1 second' end,
        last_at = ${now}
      where a.blocked_until is null or a.blocked_until <= ${now}
      returning 1`.execute(this.#store.db);
    if (rows.length === 0) throw await this.#blocked(bucket, now);
  }

  async #blocked(bucket: string, now: Date): Promise<AimassError> {
    const query = this.#store.db.selectFrom("sign_in_attempt").select("blocked_until").where("bucket", "=", bucket);
    const until = (await query.executeTakeFirst())?.blocked_until?.getTime() ?? now.getTime();
    const seconds = Math.max(1, Math.ceil((until - now.getTime()) / 1000));
    return new AimassError("RESOURCE_EXHAUSTED", "There were too many attempts to sign in.", {
      reason: "TOO_MANY_ATTEMPTS",
      retryAfterMs: seconds * 1000,
      remedy: `Wait ${seconds} seconds.`,
    });
  }
}
