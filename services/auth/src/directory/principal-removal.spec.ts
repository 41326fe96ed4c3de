import { Effect, Level } from "@aimass/api/auth";
import { systemClock } from "@aimass/core";
import { waitFor } from "@aimass/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adminReset } from "../admin-reset.ts";
import { type AuthClients, type AuthFixture, startAuthFixture } from "../testing/auth-fixture.ts";

const password = "correct horse battery";
let auth: AuthFixture;
let root: AuthClients;

beforeAll(async () => {
  auth = await startAuthFixture();
  root = auth.as(await auth.signInAdmin());
});
afterAll(() => auth?.[Symbol.asyncDispose]());

const refused = (call: Promise<unknown>, code = "UNAUTHENTICATED") => expect(call).rejects.toMatchObject({ code });

describe("a user that is deleted", () => {
  it("is judged in a dry run, and goes with grants, keys, memberships and sessions", async () => {
    await root.directory.createUser({ name: "ada", password });
    const token = await auth.signIn("ada", password);
    const ada = auth.as(token);
    const { tokens } = await auth.as().session.signIn({ username: "ada", password });
    const { secret, key } = await ada.directory.createApiKey({});
    await root.directory.putGroup({ group: { name: "fraud", members: ["user:ada", "user:admin"] } });
    const grant = { subject: "user:ada", resource: "p", level: Level.VIEW, effect: Effect.ALLOW };
    await root.access.putGrant({ grant });
    const holdings = { groups: ["fraud"], grants: 1, keyIds: [key?.id], sessions: 2 };

    const judged = await root.directory.deleteUser({ name: "ada", validateOnly: true });
    expect(judged).toMatchObject({ holdings });
    expect(judged).not.toHaveProperty("acknowledgement");
    expect((await ada.session.whoAmI({})).groups).toEqual(["fraud"]);
    expect(await root.directory.deleteUser({ name: "ada" })).toMatchObject({ holdings, acknowledgement: {} });

    await refused(ada.session.whoAmI({}));
    await refused(auth.as(secret).session.whoAmI({}));
    await refused(auth.as().session.refreshSession({ refreshToken: tokens?.refreshToken ?? "" }));
    await refused(auth.signIn("ada", password));
    expect((await root.access.listGrants({ subject: "user:ada" })).grants).toEqual([]);
    expect((await root.directory.listGroups({})).groups).toMatchObject([{ name: "fraud", members: ["user:admin"] }]);
    expect((await root.directory.listUsers({})).users.map(({ name }) => name)).toEqual(["admin"]);
    await refused(root.directory.deleteUser({ name: "ada" }), "NOT_FOUND");

    await root.directory.createUser({ name: "ada", password: `${password} two` });
    expect((await root.directory.deleteUser({ name: "ada", validateOnly: true })).holdings).toMatchObject({
      grants: 0,
      keyIds: [],
      groups: [],
      sessions: 0,
    });
    await refused(ada.session.whoAmI({}));
    await refused(auth.as(secret).session.whoAmI({}));
    expect((await auth.as(await auth.signIn("ada", `${password} two`)).session.whoAmI({})).principal).toBe("user:ada");
    await waitFor(async () => {
      const { entries } = await root.audit.listEntries({ resource: "user:ada", action: "principal" });
      return entries.map(({ action }) => action).join() === "principal.created,principal.deleted,principal.created";
    });
  });

  it("cannot be the last admin, in a dry run neither", async () => {
    for (const validateOnly of [true, false])
      await expect(root.directory.deleteUser({ name: "admin", validateOnly })).rejects.toMatchObject({
        code: "FAILED_PRECONDITION",
        reason: "LAST_ADMIN",
      });
  });
});

describe("a service account that is deleted", () => {
  it("goes with its keys, and whoever may not manage the directory deletes none", async () => {
    await root.directory.createServiceAccount({ name: "ci" });
    const { secret } = await root.directory.createApiKey({ principal: "service-account:ci" });
    const own = auth.as(secret).directory.deleteServiceAccount({ name: "ci", validateOnly: true });
    await refused(own, "PERMISSION_DENIED");
    const { holdings } = await root.directory.deleteServiceAccount({ name: "ci" });
    expect(holdings?.keyIds).toHaveLength(1);
    await refused(auth.as(secret).session.whoAmI({}));
    await refused(root.directory.deleteServiceAccount({ name: "ci" }), "NOT_FOUND");
  });
});

describe("keys of everybody", () => {
  it("are listed for those who read the directory: all, or those of whom something is granted in a project", async () => {
    for (const name of ["a", "b", "c"]) {
      await root.directory.createServiceAccount({ name });
      await root.directory.createApiKey({ principal: `service-account:${name}` });
    }
    const give = (subject: string, resource: string, effect = Effect.ALLOW) =>
      root.access.putGrant({ grant: { subject, resource, level: Level.VIEW, effect } });
    await root.directory.putGroup({ group: { name: "readers", members: ["service-account:b"] } });
    await give("service-account:a", "my_shop.fraud@default");
    await give("group:readers", "my_shop");
    await give("service-account:c", "my_shop", Effect.DENY);
    await give("service-account:c", "myxshop.fraud");
    const list = async (request: { principal?: string; project?: string }, as = root) =>
      (await as.directory.listApiKeys(request)).keys.map(({ principal }) => principal).sort();
    expect(await list({ principal: "*" })).toEqual(["service-account:a", "service-account:b", "service-account:c"]);
    expect(await list({ project: "my_shop" })).toEqual(["service-account:a", "service-account:b"]);
    expect(await list({ project: "my_shop", principal: "service-account:b" })).toEqual(["service-account:b"]);
    await refused(list({ project: "no such" }), "INVALID_ARGUMENT");

    const first = await root.directory.listApiKeys({ principal: "*", page: { size: 2 } });
    const token = first.page?.nextToken ?? "";
    const rest = await root.directory.listApiKeys({ principal: "*", page: { token } });
    expect([first.keys.length, rest.keys.length]).toEqual([2, 1]);
    await refused(root.directory.listApiKeys({ project: "my_shop", page: { token } }), "INVALID_ARGUMENT");

    await root.directory.createUser({ name: "eve", password });
    const eve = auth.as(await auth.signIn("eve", password));
    expect(await list({}, eve)).toEqual([]);
    await refused(list({ principal: "*" }, eve), "PERMISSION_DENIED");
    await refused(list({ project: "my_shop", principal: "user:eve" }, eve), "PERMISSION_DENIED");
  });
});

describe("an admin that was deleted, and made again by a reset", () => {
  it("has no token that is still about", async () => {
    await using own = await startAuthFixture();
    const token = await own.signInAdmin();
    const old = own.as(token);
    await old.directory.createUser({ name: "eve", password, roles: ["admin"] });
    await own.as(await own.signIn("eve", password)).directory.deleteUser({ name: "admin" });
    await refused(old.session.whoAmI({}));
    await adminReset(
      { AIMASS_DATABASE_URL: own.database.url, AIMASS_STATE_DIR: own.directory },
      { clock: systemClock },
    );
    const isThere = async () => (await own.as(await own.signIn("eve", password)).directory.listUsers({})).users;
    await waitFor(async () => (await isThere()).some(({ name }) => name === "admin"));
    await systemClock.sleep(1500);
    await refused(old.session.whoAmI({}));
  });
});
