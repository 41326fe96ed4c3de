import { Effect, Level } from "@aimass/api/auth";
import { Change } from "@aimass/api/events";
import { systemClock } from "@aimass/core";
import { openEventBus } from "@aimass/events";
import { openStore } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import { waitFor } from "@aimass/testkit";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthFixture, startAuthFixture } from "../testing/auth-fixture.ts";

let auth: AuthFixture;
beforeAll(async () => {
  auth = await startAuthFixture();
});
afterAll(async () => {
  await auth?.[Symbol.asyncDispose]();
});

describe("a deleted model", () => {
  it("leaves no grants to a later model of its name, and takes none of those made later", async () => {
    const root = auth.as(await auth.signInAdmin());
    const put = (resource: string) =>
      root.access.putGrant({ grant: { subject: "anonymous", resource, level: Level.INFER, effect: Effect.ALLOW } });
    for (const resource of ["p", "p.m", "p.m@a", "p.mm", "p.m_2"]) await put(resource);
    const { url: databaseUrl } = auth.database;
    await using store = await openStore({ url: databaseUrl, schema: "registry", migrations: [] });
    await using bus = await openEventBus({
      source: "registry",
      store,
      databaseUrl,
      clock: systemClock,
      telemetry: silentTelemetry(),
    });
    const occurredAt = timestampFromMs(Date.now());
    await new Promise((resolve) => setTimeout(resolve, 5));
    await put("p.m@later");
    await store.withTransaction((tx) =>
      bus.publishFrom(tx, {
        occurredAt,
        actor: "user:admin",
        resource: "p.m",
        payload: { case: "modelChanged", value: { project: "p", model: "m", change: Change.DELETED } },
      }),
    );
    const left = async () => (await root.access.listGrants({})).grants.map((grant) => grant.resource).sort();
    await waitFor(async () => (await left()).length === 4, { timeoutMs: 15_000 });
    expect(await left()).toEqual(["p", "p.m@later", "p.m_2", "p.mm"]);
  });
});
