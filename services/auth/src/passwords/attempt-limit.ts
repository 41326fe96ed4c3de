import { isIPv6 } from "node:net";
import { AimassError, type Clock } from "@aimass/core";
import { sql } from "kysely";
import type { AuthStore } from "../database.ts";

/** Wrong passwords that cost nothing but themselves; after them each failure doubles the wait. */
const freeFailures = { user: 5, address: 20, known: 10 } as const;
const longestWaitSeconds = 300;
/** After this long without a failure all is forgotten. */
const memorySeconds = 3600;
/** So long a user is known at an address after signing in there. */
const knownSeconds = 30 * 24 * 3600;

/** Whose attempts are counted. */
export interface AttemptSource {
  readonly user: string;
  /** Empty when it is not known. */
  readonly address: string;
}

/**
 * Slows down who guesses passwords. Counted in PostgreSQL, so that the limit holds over all auth processes and restarts. Each attempt counts as failed from
 * its beginning until it succeeds; many at once therefore gain nothing. The effect: five wrong passwords for a user are free, then the user waits 1, 2, 4 …
 * 300 s between attempts; an address (of IPv6, its /64) has twenty free. A
 * user who signed in from an address before has ten free there, which the failures of others neither use up nor block.
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
    const network = networkOf(source.address);
    const known = knownBucket(source.user, network);
    if (network !== "" && (await this.#isKnown(known))) return await this.#count(known, freeFailures.known);
    await this.#count(`user:${source.user}`, freeFailures.user);
    if (network !== "") await this.#count(`address:${network}`, freeFailures.address);
  }

  /** Takes back what `begin` counted, and forgives the user. */
  async succeed(source: AttemptSource): Promise<void> {
    const network = networkOf(source.address);
    const known = knownBucket(source.user, network);
    const wasKnown = network !== "" && (await this.#isKnown(known));
    if (network !== "") await this.#noteKnown(known);
    if (wasKnown) return;
    await sql`delete from sign_in_attempt where bucket = ${`user:${source.user}`}`.execute(this.#store.db);
    await sql`
      update sign_in_attempt set failures = greatest(failures - 1, 0), blocked_until = null
      where bucket = ${`address:${network}`}`.execute(this.#store.db);
  }

  /** Forgets what is too old to matter. */
  async forgetOld(): Promise<void> {
    const before = (seconds: number) => new Date(this.#clock.now() - seconds * 1000);
    const attempts = this.#store.db.deleteFrom("sign_in_attempt");
    await attempts.where("last_at", "<", before(memorySeconds)).where("bucket", "not like", "known:%").execute();
    await attempts.where("last_at", "<", before(knownSeconds)).execute();
  }

  async #isKnown(bucket: string): Promise<boolean> {
    const query = this.#store.db.selectFrom("sign_in_attempt").select("bucket").where("bucket", "=", bucket);
    return (await query.executeTakeFirst()) !== undefined;
  }

  async #noteKnown(bucket: string): Promise<void> {
    const row = { failures: 0, last_at: new Date(this.#clock.now()), blocked_until: null };
    await this.#store.db
      .insertInto("sign_in_attempt")
      .values({ bucket, ...row })
      .onConflict((conflict) => conflict.column("bucket").doUpdateSet(row))
      .execute();
  }

  async #count(bucket: string, free: number): Promise<void> {
    const now = new Date(this.#clock.now());
    const forgotten = new Date(now.getTime() - memorySeconds * 1000);
    // A block that reaches further was made by a clock that was ahead and has been set right.
    const furthest = new Date(now.getTime() + longestWaitSeconds * 1000);
    const { rows } = await sql`
      insert into sign_in_attempt as a (bucket, failures, last_at) values (${bucket}, 1, ${now})
      on conflict (bucket) do update set
        failures = case when a.last_at < ${forgotten} then 1 else least(a.failures + 1, 1000) end,
        blocked_until = case when a.last_at >= ${forgotten} and a.failures + 1 > ${free}
          then ${now}::timestamptz + least(power(2, least(a.failures - ${free}, 20)), ${longestWaitSeconds}) * interval '1 second' end,
        last_at = ${now}
      where a.blocked_until is null or a.blocked_until <= ${now} or a.blocked_until > ${furthest}
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

/** What an address is counted by: of IPv6 the /64, which is what one subscriber has at least. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.replace(/%.*$/, "").toLowerCase().split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0"), ...right];
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}

function knownBucket(user: string, network: string): string {
  return `known:${user}@${network}`;
}
