import { Backoff, type Clock, linkedSignal } from "@aimass/core";
import { sql } from "kysely";
import type { Store } from "./store.ts";

export interface LeaseOptions<Database> {
  readonly store: Store<Database>;
  /** What is held, for instance "leader". */
  readonly name: string;
  /** Who holds it; unique per process. */
  readonly holder: string;
  /** How long a holder that fell silent keeps it, in milliseconds. Renewed every third of it. */
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /**
   * Runs while the lease is held. `lost` aborts when it no longer is, always before another process can get it; the work must then end. `token` grows with each holder:
   * a write that carries it can be refused when it comes late. Returning gives the lease back; throwing gives it back and tries again after a wait.
   */
  readonly onAcquired: (lost: AbortSignal, token: bigint) => Promise<void>;
  /** Told of database errors and of what `onAcquired` throws. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/** Share of the time to live after which a holder without a renewal stops, so that clocks may run at slightly different speeds. */
const safeShare = 0.9;

/** Competes for a lease, holds it, and competes again when it is lost, until the signal aborts. Expiry is judged by the database's clock alone. */
export async function holdLease<Database>(options: LeaseOptions<Database>): Promise<void> {
  const { clock, signal, ttlMs, store } = options;
  const backoff = new Backoff({ initialMs: ttlMs / 10, maxMs: ttlMs });
  using bell = new Bell();
  using _listening = await listenForRelease(store, bell, options);
  while (!signal.aborted) {
    const asked = clock.monotonic();
    bell.muffle();
    try {
      const token = await acquire(options);
      if (token !== undefined && signal.aborted) return await release(options, token).catch(() => {});
      if (token !== undefined) {
        await work(options, token, asked);
        backoff.reset();
      }
      if (signal.aborted) return;
      await bell.wait(clock, (ttlMs / 3) * (0.8 + 0.4 * Math.random()), signal);
    } catch (error) {
      if (signal.aborted) return;
      options.onFailure?.(error);
      await clock.sleep(backoff.next(), signal).catch(() => {});
    }
  }
}

async function work<Database>(options: LeaseOptions<Database>, token: bigint, asked: number): Promise<void> {
  using lost = linkedSignal(options.signal);
  const finished = new AbortController();
  const renewing = renewUntil(options, {
    token,
    asked,
    finished: finished.signal,
    lose: () => lost.abort(new Error("The lease was lost.")),
  });
  try {
    await options.onAcquired(lost.signal, token);
  } finally {
    finished.abort();
    await renewing;
    await release(options, token).catch(() => {});
  }
}

/** Renews until the work is finished. A renewal counts from when it was asked for. */
async function renewUntil<Database>(
  options: LeaseOptions<Database>,
  held: { token: bigint; asked: number; finished: AbortSignal; lose: () => void },
): Promise<void> {
  const { clock, ttlMs } = options;
  const left = (asked: number) => Math.max(0, asked + ttlMs * safeShare - clock.monotonic());
  let expiry = clock.timer(left(held.asked), held.lose);
  try {
    while (!held.finished.aborted) {
      await clock.sleep(ttlMs / 3, held.finished);
      const asked = clock.monotonic();
      try {
        if (!(await renew(options, held.token))) return held.lose();
        expiry[Symbol.dispose]();
        expiry = clock.timer(left(asked), held.lose);
      } catch (error) {
        options.onFailure?.(error);
      }
    }
  } catch {
    // The work is finished.
  } finally {
    expiry[Symbol.dispose]();
  }
}

async function acquire<Database>({ store, name, holder, ttlMs }: LeaseOptions<Database>): Promise<bigint | undefined> {
  const { rows } = await sql<{ token: string }>`
    insert into lease as held (name, holder, token, expires_at)
    values (${name}, ${holder}, 1, clock_timestamp() + ${ttlMs} * interval '1 millisecond')
    on conflict (name) do update
      set holder = excluded.holder, token = held.token + 1, expires_at = excluded.expires_at
      where held.expires_at < clock_timestamp()
    returning token`.execute(store.db);
  return rows[0] === undefined ? undefined : BigInt(rows[0].token);
}

async function renew<Database>(options: LeaseOptions<Database>, token: bigint): Promise<boolean> {
  const { store, name, holder, ttlMs } = options;
  const { rows } = await sql`
    update lease set expires_at = clock_timestamp() + ${ttlMs} * interval '1 millisecond'
    where name = ${name} and holder = ${holder} and token = ${token} and expires_at > clock_timestamp()
    returning 1`.execute(store.db);
  return rows.length === 1;
}

async function release<Database>({ store, name, holder }: LeaseOptions<Database>, token: bigint): Promise<void> {
  await store.withTransaction(async (tx) => {
    await sql`
      update lease set expires_at = '-infinity' where name = ${name} and holder = ${holder} and token = ${token}`.execute(
      tx,
    );
    await store.notify(tx, releaseChannel(store.schema), name);
  });
}

function releaseChannel(schema: string): string {
  return `${schema}_lease`;
}

function listenForRelease<Database>(
  store: Store<Database>,
  bell: Bell,
  options: LeaseOptions<Database>,
): Promise<Disposable> {
  return store.listen(releaseChannel(store.schema), (name) => {
    if (name === "" || name === options.name) bell.ring();
  });
}

/** Wakes one sleeper early, also one that goes to sleep after it rang. */
class Bell implements Disposable {
  #rung = new AbortController();

  /** Forgets that it rang. */
  muffle(): void {
    if (this.#rung.signal.aborted) this.#rung = new AbortController();
  }

  ring(): void {
    this.#rung.abort();
  }

  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    using either = linkedSignal(signal, this.#rung.signal);
    await clock.sleep(ms, either.signal).catch(() => {});
  }

  [Symbol.dispose](): void {
    this.#rung.abort();
  }
}
