import { type Event, EventSchema } from "@aimass/api/events";
import { systemClock } from "@aimass/core";
import { generateMeshIdentity, type IdentityDocument, ServiceIdentity } from "@aimass/identity";
import { openStore, type Store } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import { createTestDatabase, expectNoOpenHandles, startMortalPostgres, waitFor } from "@aimass/testkit";
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { openEventBus } from "./event-bus.ts";
import { eventCarrierContract } from "./event-carrier.contract.ts";
import { PostgresCarrier } from "./postgres-carrier.ts";
import { postgresMigrations } from "./postgres-migrations.ts";

expectNoOpenHandles();

describe("events over PostgreSQL", () => {
  eventCarrierContract(async () => {
    const server = await startMortalPostgres();
    return {
      databaseUrl: server.url,
      openCarrier: (databaseUrl) => PostgresCarrier.open({ databaseUrl, clock: systemClock }),
      kill: server.kill,
      revive: server.revive,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });

  it("still brings what an older version published unsigned, and nothing unsigned that came later", async () => {
    await using database = await createTestDatabase();
    const { url: databaseUrl } = database;
    const facts = { clock: systemClock, databaseUrl };
    const insert = (store: Store<unknown>, name: string) => {
      const event = create(EventSchema, { id: name, source: "auth", payload: { case: "modelChanged", value: {} } });
      const row = [name, "aimass.auth.model_changed", toBinary(EventSchema, event)];
      return store.pool.query("insert into events.event (id, subject, payload) values ($1, $2, $3)", row);
    };
    const before = { url: databaseUrl, schema: "events", migrations: postgresMigrations.slice(0, 1) };
    await using old = await openStore<unknown>(before);
    await insert(old, "published before");
    await using store = await openStore<unknown>({ url: databaseUrl, schema: "auth", migrations: [] });
    const { identities, trust } = generateMeshIdentity(["auth"]);
    const identity = new ServiceIdentity(identities.get("auth") as IdentityDocument, trust, systemClock);
    await using bus = await openEventBus({ ...facts, identity, store, telemetry: silentTelemetry() });
    await insert(old, "published after");
    await store.withTransaction((tx) =>
      bus.publishFrom(tx, { id: "signed", payload: { case: "modelChanged", value: {} } }),
    );
    const heard: string[] = [];
    const handle = async ({ id }: Event) => void heard.push(id);
    await bus.subscribe({ consumer: "upgraded", signal: new AbortController().signal, handle });
    await waitFor(() => heard.includes("signed"));
    expect(heard).toEqual(["published before", "signed"]);
  });
});
