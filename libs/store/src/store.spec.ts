import { createTestDatabase, expectNoOpenHandles, startOwnPostgres, waitFor } from "@aimass/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore, type Store } from "./store.ts";

interface Database {
  counter: { name: string; value: number };
}

const migrations = [
  { name: "0001-counter", up: "create table counter (name text primary key, value integer not null)" },
];

expectNoOpenHandles();

describe("a store", () => {
  let store: Store<Database>;
  let url: string;

  beforeAll(async () => {
    ({ url } = await createTestDatabase());
    store = await openStore<Database>({ url, schema: "things", migrations });
  });
  afterAll(() => store[Symbol.asyncDispose]());

  it("runs its migrations once, and processes that start together take turns", async () => {
    const others = await Promise.all(
      Array.from({ length: 4 }, () => openStore<Database>({ url, schema: "things", migrations })),
    );
    const { rows } = await store.pool.query("select name from things.migration order by name");
    expect(rows.map((row) => row.name)).toEqual(["0001-counter", "store-0001-outbox-and-lease"]);
    await Promise.all(others.map((other) => other[Symbol.asyncDispose]()));
  });

  it("refuses a migration that was changed after it ran", async () => {
    const changed = [{ name: "0001-counter", up: "create table counter (name text)" }];
    await expect(openStore({ url, schema: "things", migrations: changed })).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "MIGRATION_CHANGED",
    });
  });

  it("refuses a schema that a newer program has changed", async () => {
    await expect(openStore({ url, schema: "things", migrations: [] })).rejects.toMatchObject({
      reason: "SCHEMA_NEWER",
    });
  });

  it("leaves nothing of a migration that fails halfway", async () => {
    const broken = [{ name: "0001-two", up: "create table first (id int); create table second (id nonsense)" }];
    await expect(openStore({ url, schema: "broken", migrations: broken })).rejects.toThrow(/0001-two of broken/);
    const { rows } = await store.pool.query("select to_regclass('broken.first') as first");
    expect(rows[0].first).toBeNull();
  });

  it("says what is wrong with a URL instead of waiting", async () => {
    const wrong = new URL(url);
    wrong.password = "wrong";
    await expect(openStore({ url: wrong.href, schema: "things", migrations })).rejects.toMatchObject({
      reason: "DATABASE_REFUSED",
    });
  });

  it("gives up after the wait when there is no server", async () => {
    const nowhere = "postgres://aimass:x@127.0.0.1:9/aimass";
    await expect(openStore({ url: nowhere, schema: "things", migrations, waitMs: 200 })).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
  });

  it("retries transactions that lose against each other until all are done", async () => {
    await store.db.insertInto("counter").values({ name: "races", value: 0 }).execute();
    let runs = 0;
    const increment = () =>
      store.withTransaction(
        async (tx) => {
          runs += 1;
          const { value } = await tx
            .selectFrom("counter")
            .select("value")
            .where("name", "=", "races")
            .executeTakeFirstOrThrow();
          await tx
            .updateTable("counter")
            .set({ value: value + 1 })
            .where("name", "=", "races")
            .execute();
        },
        { isolation: "serializable" },
      );
    await Promise.all(Array.from({ length: 5 }, increment));
    const { value } = await store.db
      .selectFrom("counter")
      .select("value")
      .where("name", "=", "races")
      .executeTakeFirstOrThrow();
    expect(value).toBe(5);
    expect(runs).toBeGreaterThan(5);
  });

  it("takes back what a throwing transaction did", async () => {
    const failing = store.withTransaction(async (tx) => {
      await tx.insertInto("counter").values({ name: "ghost", value: 1 }).execute();
      throw new Error("changed my mind");
    });
    await expect(failing).rejects.toThrow("changed my mind");
    expect(await store.db.selectFrom("counter").selectAll().where("name", "=", "ghost").execute()).toEqual([]);
  });

  it("hears a notification when the transaction commits, not before, and not when it rolls back", async () => {
    const heard: string[] = [];
    using _listening = await store.listen("things_news", (payload) => heard.push(payload));
    await store
      .withTransaction(async (tx) => {
        await store.notify(tx, "things_news", "never");
        throw new Error("rolled back");
      })
      .catch(() => {});
    await store.withTransaction((tx) => store.notify(tx, "things_news", "committed"));
    await waitFor(() => heard.length > 0);
    expect(heard).toEqual(["committed"]);
  });
});

describe("a store whose connection hangs", () => {
  it("gives up on the query after the time-out, never uses that connection again, and goes on with another", async () => {
    const { url } = await createTestDatabase();
    await using store = await openStore<Database>({ url, schema: "things", migrations, queryTimeoutMs: 300 });
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(store.db);
    const pid = rows[0]!.pid;
    process.kill(pid, "SIGSTOP");
    try {
      const stuck = sql`select 'stale' as answer`.execute(store.db);
      await expect(stuck).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "DATABASE_UNAVAILABLE" });
      const next = await sql<{
        answer: string;
        pid: number;
      }>`select 'fresh' as answer, pg_backend_pid() as pid`.execute(store.db);
      expect(next.rows[0]).toMatchObject({ answer: "fresh" });
      expect(next.rows[0]!.pid).not.toBe(pid);
    } finally {
      process.kill(pid, "SIGCONT");
    }
  });
});

describe("a store whose PostgreSQL is killed and comes back", () => {
  it("fails what waits with UNAVAILABLE, then queries, transactions and notifications work again", async () => {
    await using server = await startOwnPostgres();
    await using store = await openStore<Database>({ url: server.url, schema: "things", migrations });
    const heard: string[] = [];
    using _listening = await store.listen("things_news", (payload) => heard.push(payload));
    const lent = await store.pool.connect();
    const { rows } = await lent.query("select pg_backend_pid() as pid");
    const waiting = sql`select pg_sleep(60)`.execute(store.db);
    const inTransaction = store.withTransaction((tx) => sql`select pg_sleep(60)`.execute(tx));
    const outcomes = Promise.allSettled([waiting, inTransaction]);
    await waitFor(async () => {
      const sleeping = "select 1 from pg_stat_activity where wait_event = 'PgSleep'";
      return (await store.pool.query(sleeping)).rowCount === 2;
    });
    // A backend that dies hard makes the server cut off every client and recover, on the same port.
    process.kill(rows[0].pid, "SIGKILL");
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { code: "UNAVAILABLE", reason: "DATABASE_UNAVAILABLE" },
      });
    }
    lent.release();
    await waitFor(() => store.pool.query("select 1"));
    await waitFor(() => heard.includes(""), { what: "the word that notifications may have been missed" });
    await store.withTransaction((tx) => store.notify(tx, "things_news", "back"));
    await waitFor(() => heard.includes("back"));
  });
});
