import { type Acknowledgement, AcknowledgementSchema } from "@aimass/api/auth";
import { type Clock, deadlineSignal } from "@aimass/core";
import { create } from "@bufbuild/protobuf";
import { sql } from "kysely";
import type { AuthStore } from "../database.ts";
import type { Held } from "./policy-reader.ts";

const channel = "auth_acknowledged";
/** How long an enforcer that nobody hears of any more counts as live. */
const leaseSeconds = 15;
/** A lost notification costs this much. */
const lookAgainMs = 100;

/** Who enforces which version, kept in the database so that every auth process can tell. */
export class Enforcers implements Disposable {
  readonly #store: AuthStore;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #listening: Disposable | undefined;

  private constructor(store: AuthStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  static async open(store: AuthStore, clock: Clock): Promise<Enforcers> {
    const enforcers = new Enforcers(store, clock);
    enforcers.#listening = await store.listen(channel, () => enforcers.#wake());
    return enforcers;
  }

  /** Notes that an enforcer enforces a version from now on. A version of another epoch replaces the one noted, an older one of the same does not. */
  async acknowledge(id: string, held: Held): Promise<void> {
    const version = held.version.toString();
    await this.#store.withTransaction(async (tx) => {
      await sql`
        insert into enforcer as e (id, epoch, version, seen_at) values (${id}, ${held.epoch}, ${version}, clock_timestamp())
        on conflict (id) do update set
          version = case when e.epoch = excluded.epoch then greatest(e.version, excluded.version) else excluded.version end,
          epoch = excluded.epoch,
          seen_at = excluded.seen_at`.execute(tx);
      await this.#store.notify(tx, channel);
    });
  }

  /** Takes an enforcer off that enforces nothing any more. */
  async leave(id: string): Promise<void> {
    await sql`delete from enforcer where id = ${id}`.execute(this.#store.db);
  }

  /** Renews the leases of those whose streams are open. */
  async keepAlive(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await sql`update enforcer set seen_at = clock_timestamp() where id = any(${ids})`.execute(this.#store.db);
  }

  /** How many count as live. */
  async countLive(): Promise<number> {
    return (await this.#live()).length;
  }

  /** Waits until every live enforcer has the version, at most `timeoutMs`; says which have it and which do not. */
  async waitFor(held: Held, timeoutMs = 1000): Promise<Acknowledgement> {
    using deadline = deadlineSignal(timeoutMs);
    while (true) {
      const woken = this.#nextWake(deadline.signal);
      const live = await this.#live();
      const has = (e: { epoch: string; version: string }) =>
        e.epoch === held.epoch && BigInt(e.version) >= held.version;
      const missing = live.filter((e) => !has(e)).map((e) => e.id);
      if (missing.length === 0 || deadline.signal.aborted) {
        const acknowledged = live.filter(has).map((e) => e.id);
        return create(AcknowledgementSchema, { policyVersion: held.version, acknowledged, missing });
      }
      await woken;
    }
  }

  /** Forgets enforcers that have been silent for a day. */
  async forgetOld(): Promise<void> {
    await sql`delete from enforcer where seen_at < clock_timestamp() - interval '1 day'`.execute(this.#store.db);
  }

  [Symbol.dispose](): void {
    this.#listening?.[Symbol.dispose]();
  }

  async #live(): Promise<{ id: string; epoch: string; version: string }[]> {
    const { rows } = await sql<{ id: string; epoch: string; version: string }>`
      select id, epoch, version from enforcer
      where seen_at > clock_timestamp() - ${leaseSeconds} * interval '1 second' order by id`.execute(this.#store.db);
    return rows;
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves at the next acknowledgement, after a while, or when time is up. */
  #nextWake(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        timer[Symbol.dispose]();
        resolve();
      };
      const timer = this.#clock.timer(lookAgainMs, wake);
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}
