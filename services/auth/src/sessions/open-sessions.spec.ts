import { EventSchema, type SessionEvent } from "@aimass/api/events";
import { waitFor } from "@aimass/testkit";
import { fromBinary } from "@bufbuild/protobuf";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthClients, type AuthFixture, startAuthFixture } from "../testing/auth-fixture.ts";

const password = "correct horse battery";
let auth: AuthFixture;
let root: AuthClients;

beforeAll(async () => {
  auth = await startAuthFixture();
  root = auth.as(await auth.signInAdmin());
  for (const name of ["ada", "bob"]) await root.directory.createUser({ name, password });
});
afterAll(() => auth?.[Symbol.asyncDispose]());

const goesOn = async (clients: AuthClients) => (await clients.session.whoAmI({})).principal;
const refused = (call: Promise<unknown>, code = "UNAUTHENTICATED") => expect(call).rejects.toMatchObject({ code });

describe("sessions that are open", () => {
  it("are listed and ended by whoever they belong to", async () => {
    const here = auth.as(await auth.signIn("ada", password));
    const there = auth.as(await auth.signIn("ada", password));
    const { sessions } = await here.session.listSessions({});
    expect(sessions.map(({ principal, current }) => [principal, current]).sort()).toEqual([
      ["user:ada", false],
      ["user:ada", true],
    ]);
    const other = sessions.find(({ current }) => !current) ?? expect.fail();
    expect((await here.session.endSession({ id: other.id, validateOnly: true })).session?.id).toBe(other.id);
    expect(await goesOn(there)).toBe("user:ada");
    expect(await here.session.endSession({ id: other.id })).toMatchObject({ acknowledgement: {} });
    await refused(goesOn(there));
    expect(await goesOn(here)).toBe("user:ada");
    await here.session.endSession({ id: other.id });
    expect((await here.session.listSessions({})).sessions).toHaveLength(1);
    await waitFor(async () => {
      const { entries } = await root.audit.listEntries({ actor: "user:ada", action: "session.ended" });
      return entries.length === 1;
    });
  });

  it("all end at once, but the one that asks where it shall go on", async () => {
    const here = auth.as(await auth.signIn("bob", password));
    const there = auth.as(await auth.signIn("bob", password));
    const { ids } = await here.session.endAllSessions({ keepCurrent: true, validateOnly: true });
    expect(ids).toHaveLength(1);
    expect(await goesOn(there)).toBe("user:bob");
    expect((await here.session.endAllSessions({ keepCurrent: true })).ids).toEqual(ids);
    await refused(goesOn(there));
    expect(await goesOn(here)).toBe("user:bob");
    expect((await here.session.endAllSessions({})).ids).toHaveLength(1);
    await refused(goesOn(here));
  });

  it("are named by the audit ledger when they end, and those that ran out neither end nor are told of", async () => {
    await root.directory.createUser({ name: "cleo", password });
    const here = auth.as(await auth.signIn("cleo", password));
    for (let times = 0; times < 3; times++) await auth.signIn("cleo", password);
    const { sessions } = await here.session.listSessions({});
    const [over, ...others] = sessions.filter(({ current }) => !current).map(({ id }) => id);
    const pool = new pg.Pool({ connectionString: auth.database.url });
    await pool.query("update auth.session set expires_at = now() - interval '1 hour' where id = $1", [over]);
    expect((await here.session.endAllSessions({ keepCurrent: true })).ids).toEqual(others.toSorted());
    await here.session.endSession({ id: over ?? "" });
    const { rows } = await pool.query("select ended_at from auth.session where id = $1", [over]);
    await pool.end();
    expect(rows).toEqual([{ ended_at: null }]);
    const told = async (action: string) => {
      const { entries } = await root.audit.listEntries({ actor: "user:cleo", action });
      const events = entries.map(({ payload }) => fromBinary(EventSchema, payload).payload.value as SessionEvent);
      return events.map(({ sessionId }) => sessionId).sort();
    };
    await expect.poll(() => told("session.ended"), { timeout: 10_000 }).toEqual(others.toSorted());
    expect(await told("session.signed_in")).toEqual(sessions.map(({ id }) => id).sort());
  });

  it("of others are for those who manage the directory, and hidden from the rest", async () => {
    const ada = auth.as(await auth.signIn("ada", password));
    const bob = auth.as(await auth.signIn("bob", password));
    const [session] = (await root.session.listSessions({ principal: "user:bob" })).sessions;
    const id = session?.id ?? expect.fail();
    await refused(ada.session.listSessions({ principal: "user:bob" }), "PERMISSION_DENIED");
    await refused(ada.session.endAllSessions({ principal: "user:bob" }), "PERMISSION_DENIED");
    await refused(ada.session.endSession({ id }), "NOT_FOUND");
    await refused(root.session.endSession({ id: "none" }), "NOT_FOUND");
    expect(await goesOn(bob)).toBe("user:bob");
    await root.session.endSession({ id });
    await refused(goesOn(bob));
    await refused(auth.as().session.listSessions({}));
  });
});
