import { Effect, Level } from "@aimass/api/auth";
import { openStore } from "@aimass/store";
import { waitFor } from "@aimass/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthFixture, startAuthFixture } from "./testing/auth-fixture.ts";

let auth: AuthFixture;
beforeAll(async () => {
  auth = await startAuthFixture();
});
afterAll(async () => {
  await auth?.[Symbol.asyncDispose]();
});

describe("a database that drops every connection", () => {
  it("costs no more than the calls of that moment", async () => {
    const root = auth.as(await auth.signInAdmin());
    await using store = await openStore({ url: auth.database.url, schema: "registry", migrations: [] });
    const others =
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    await store.pool.query(others);
    const signIn = () => auth.signInAdmin().catch(() => undefined);
    await waitFor(signIn, { timeoutMs: 60_000 });
    await root.access.putGrant({
      grant: { subject: "anonymous", resource: "after", level: Level.VIEW, effect: Effect.ALLOW },
    });
    const answer = await root.access.explainAccess({ principal: "anonymous", verb: "model.view", resource: "after.m" });
    expect(answer.allowed).toBe(true);
  });
});
