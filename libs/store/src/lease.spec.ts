import { systemClock } from "@aimass/core";
import { createTestDatabase, expectNoOpenHandles, startMortalPostgres, waitFor } from "@aimass/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { holdLease } from "./lease.ts";
import { openStore, type Store } from "./store.ts";

expectNoOpenHandles();

interface Holding {
  readonly holder: string;
  readonly token: bigint;
  readonly lost: AbortSignal;
}

/** Competes in the background and tells of each time it holds the lease. */
function compete(
  store: Store<unknown>,
  holder: string,
  o: { name?: string; ttlMs?: number; log?: Holding[]; work?: (lost: AbortSignal) => Promise<void> } = {},
) {
  const end = new AbortController();
  const held: Holding[] = [];
  const untilLost = (lost: AbortSignal) =>
    new Promise<void>((resolve) => lost.addEventListener("abort", () => resolve(), { once: true }));
  const done = holdLease({
    store,
    name: o.name ?? "leader",
    holder,
    ttlMs: o.ttlMs ?? 900,
    clock: systemClock,
    signal: end.signal,
    onAcquired: async (lost, token) => {
      const holding = { holder, token, lost };
      held.push(holding);
      o.log?.push(holding);
      await (o.work ?? untilLost)(lost);
    },
  });
  return { held, stop: () => end.abort(), done };
}

describe("a lease", () => {
  let store: Store<unknown>;
  let url: string;
  beforeAll(async () => {
    ({ url } = await createTestDatabase());
    store = await openStore<unknown>({ url, schema: "leases", migrations: [] });
  });
  afterAll(() => store[Symbol.asyncDispose]());

  it("is held by one of many, and passes on at once with a higher token when that one stops", async () => {
    const log: Holding[] = [];
    const competitors = ["a", "b", "c"].map((holder) =>
      compete(store, holder, { name: "orderly", ttlMs: 20_000, log }),
    );
    await waitFor(() => log.length === 1);
    const first = competitors.find(({ held }) => held.length === 1)!;
    const started = performance.now();
    first.stop();
    await first.done;
    await waitFor(() => log.length === 2);
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(log[1]!.token).toBeGreaterThan(log[0]!.token);
    expect(log[0]!.lost.aborted).toBe(true);
    expect(log[1]!.lost.aborted).toBe(false);
    for (const { stop } of competitors) stop();
    await Promise.all(competitors.map(({ done }) => done));
  });

  it("is asked for again at once when its release is told while it is being asked for", async () => {
    await store.pool.query("insert into lease values ('told', 'leaving', 1, clock_timestamp() + interval '1 hour')");
    const waiting = async (count: number) => {
      // Other tests have databases at the same server.
      const waiters = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
      const { rows } = await store.pool.query(waiters);
      return rows.length === count;
    };
    const [first, second] = [await store.pool.connect(), await store.pool.connect()];
    try {
      await first.query("begin");
      await first.query("select 1 from lease where name = 'told' for update");
      const heir = compete(store, "heir", { name: "told", ttlMs: 30_000 });
      await waitFor(() => waiting(1));
      // It asks, and will hear that the lease is held; meanwhile it is told of a release, which another transaction writes right after.
      const releasing = second.query("begin; update lease set expires_at = '-infinity' where name = 'told'; commit");
      await waitFor(() => waiting(2));
      await store.pool.query("select pg_notify('leases_lease', 'told')");
      await new Promise((resolve) => setTimeout(resolve, 300));
      await first.query("commit");
      await releasing;
      await waitFor(() => heir.held.length === 1, { timeoutMs: 3000 });
      heir.stop();
      await heir.done;
    } finally {
      first.release();
      second.release();
    }
  });

  it("that comes to whoever was just told to end is given back, and no work begins", async () => {
    await store.pool.query("insert into lease values ('late', 'leaving', 1, '-infinity')");
    const other = await store.pool.connect();
    try {
      await other.query("begin");
      await other.query("select 1 from lease where name = 'late' for update");
      const late = compete(store, "late", { name: "late", ttlMs: 30_000 });
      await waitFor(async () => {
        // Other tests have databases at the same server.
        const waiters =
          "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
        const { rows } = await store.pool.query(waiters);
        return rows.length === 1;
      });
      late.stop();
      await other.query("commit");
      await late.done;
      expect(late.held).toEqual([]);
      const { rows } = await store.pool.query(
        "select expires_at < now() as free, token from lease where name = 'late'",
      );
      expect(rows).toEqual([{ free: true, token: "2" }]);
    } finally {
      other.release();
    }
  });

  it("outlives its time to live while its holder renews it", async () => {
    const keeper = compete(store, "keeper", { name: "renewed", ttlMs: 300 });
    await waitFor(() => keeper.held.length === 1);
    const rival = compete(store, "rival", { name: "renewed", ttlMs: 300 });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(rival.held).toHaveLength(0);
    expect(keeper.held).toHaveLength(1);
    keeper.stop();
    await keeper.done;
    await waitFor(() => rival.held.length === 1);
    rival.stop();
    await rival.done;
  });

  it("passes on after its time to live when the holder's process is gone", async () => {
    await store.pool.query(
      "insert into lease values ('orphan', 'the dead', 7, clock_timestamp() + interval '400 milliseconds')",
    );
    const heir = compete(store, "heir", { name: "orphan", ttlMs: 300 });
    await waitFor(() => heir.held.length === 1);
    expect(heir.held[0]!.token).toBe(8n);
    heir.stop();
    await heir.done;
  });

  it("tells a holder whose lease another one took", async () => {
    const holder = compete(store, "robbed", { name: "stolen", ttlMs: 600 });
    await waitFor(() => holder.held.length === 1);
    await store.pool.query("update lease set holder = 'thief', token = token + 1 where name = 'stolen'");
    await waitFor(() => holder.held[0]!.lost.aborted);
    holder.stop();
    await holder.done;
  });

  it("is given back when the work throws, and taken again after a wait", async () => {
    let tries = 0;
    const clumsy = compete(store, "clumsy", {
      name: "clumsy",
      ttlMs: 300,
      work: async () => {
        if (++tries < 3) throw new Error("stumbled");
      },
    });
    await waitFor(() => tries >= 3);
    clumsy.stop();
    await clumsy.done;
    const { rows } = await store.pool.query(
      "select expires_at < clock_timestamp() as free from lease where name = 'clumsy'",
    );
    expect(rows[0].free).toBe(true);
  });
});

describe("a lease whose database is away", () => {
  it("is lost before another could get it, and won again when the database is back", async () => {
    await using server = await startMortalPostgres();
    await using store = await openStore<unknown>({ url: server.url, schema: "leases", migrations: [] });
    const holder = compete(store, "holder", { ttlMs: 2_000 });
    await waitFor(() => holder.held.length === 1);
    const started = performance.now();
    await server.kill();
    await waitFor(() => holder.held[0]!.lost.aborted);
    expect(performance.now() - started).toBeLessThan(2_000);
    await server.revive();
    await waitFor(() => holder.held.length === 2, { timeoutMs: 60_000 });
    holder.stop();
    await holder.done;
  });
});
