import { createTestDatabase, expectNoOpenHandles, waitFor } from "@aimass/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { appendOutbox, drainOutbox, type OutboxEntry, outboxChannel } from "./outbox.ts";
import { openStore, type Store } from "./store.ts";

expectNoOpenHandles();

describe("the outbox", () => {
  let store: Store<unknown>;
  beforeAll(async () => {
    const { url } = await createTestDatabase();
    store = await openStore<unknown>({ url, schema: "shop", migrations: [] });
  });
  afterAll(() => store[Symbol.asyncDispose]());

  const append = (...ids: string[]) =>
    store.withTransaction(async (tx) => {
      for (const id of ids) await appendOutbox(tx, { id, subject: "aimass.shop.sold", payload: Buffer.from(id) });
    });
  const published: OutboxEntry[] = [];
  const publish = async (entries: readonly OutboxEntry[]) => void published.push(...entries);
  const drained = () => published.splice(0).map(({ id }) => id);

  it("wakes the relay when the transaction commits, and hands over in order, once", async () => {
    let woken = 0;
    using _listening = await store.listen(outboxChannel("shop"), () => woken++);
    await append("a", "b", "c");
    await waitFor(() => woken > 0);
    expect(await drainOutbox(store, publish, 2)).toEqual({ kind: "drained", count: 2 });
    expect(await drainOutbox(store, publish, 2)).toEqual({ kind: "drained", count: 1 });
    expect(await drainOutbox(store, publish)).toEqual({ kind: "drained", count: 0 });
    expect(published.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["a", "b", "c"]);
    expect(drained()).toEqual(["a", "b", "c"]);
  });

  it("keeps everything when publishing fails", async () => {
    await append("d", "e");
    await expect(drainOutbox(store, () => Promise.reject(new Error("carrier away")))).rejects.toThrow("carrier away");
    await drainOutbox(store, publish);
    expect(drained()).toEqual(["d", "e"]);
  });

  it("lets one relay at a time work, so that the order holds", async () => {
    await append("f");
    const [entered, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const slow = drainOutbox(store, async (entries) => {
      entered.resolve();
      await gate.promise;
      await publish(entries);
    });
    await entered.promise;
    expect(await drainOutbox(store, publish)).toMatchObject({ kind: "held elsewhere" });
    gate.resolve();
    await slow;
    expect(drained()).toEqual(["f"]);
  });
});
