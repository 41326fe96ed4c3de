import { Effect, Level } from "@aimass/api/auth";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthClients, type AuthFixture, startAuthFixture } from "../testing/auth-fixture.ts";

let auth: AuthFixture;
let root: AuthClients;

beforeAll(async () => {
  auth = await startAuthFixture();
  root = auth.as(await auth.signInAdmin());
  for (const name of ["ci", "nightly"]) await root.directory.createServiceAccount({ name, description: name });
});
afterAll(() => auth?.[Symbol.asyncDispose]());

const secretOf = async (account: string) =>
  (await root.directory.createApiKey({ principal: `service-account:${account}` })).secret;
const whoIs = async (secret: string) => (await auth.as(secret).session.whoAmI({})).principal;

describe("a service account", () => {
  it("has keys that are refused while it is disabled, and taken again after", async () => {
    const secret = await secretOf("nightly");
    expect(await whoIs(secret)).toBe("service-account:nightly");
    const { serviceAccount } = await root.directory.updateServiceAccount({ name: "nightly", disabled: true });
    expect(serviceAccount).toMatchObject({ name: "nightly", disabled: true, description: "nightly" });
    await expect(whoIs(secret)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    await root.directory.updateServiceAccount({ name: "nightly", description: "at three" });
    const { serviceAccounts } = await root.directory.listServiceAccounts({});
    expect(serviceAccounts).toMatchObject([
      { name: "ci" },
      { name: "nightly", disabled: true, description: "at three" },
    ]);
    await root.directory.updateServiceAccount({ name: "nightly", disabled: false });
    expect(await whoIs(secret)).toBe("service-account:nightly");
  });

  it("that is not there cannot be changed", async () => {
    const change = root.directory.updateServiceAccount({ name: "admin", disabled: true });
    await expect(change).rejects.toMatchObject({ code: "NOT_FOUND", field: "name" });
  });
});

describe("all keys of a principal", () => {
  it("are named in a dry run, and revoked at once without one, and no others", async () => {
    const secrets = [await secretOf("ci"), await secretOf("ci")];
    const other = await secretOf("nightly");
    const principal = "service-account:ci";
    const judged = await root.directory.revokeAllApiKeys({ principal, validateOnly: true });
    expect(judged.ids).toHaveLength(2);
    for (const secret of secrets) expect(await whoIs(secret)).toBe(principal);
    expect((await root.directory.revokeAllApiKeys({ principal })).ids).toEqual(judged.ids);
    for (const secret of secrets) await expect(whoIs(secret)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    expect(await whoIs(other)).toBe("service-account:nightly");
    expect((await root.directory.revokeAllApiKeys({ principal })).ids).toEqual([]);
    const stranger = auth.as(other).directory.revokeAllApiKeys({ principal: "user:admin" });
    await expect(stranger).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    expect((await auth.as(other).directory.revokeAllApiKeys({})).ids).toHaveLength(2);
  });
});

describe("a group", () => {
  it("is changed only as it was read, where somebody says how that was", async () => {
    const put = (members: string[], etag = "") => root.directory.putGroup({ group: { name: "night", members, etag } });
    const made = (await put(["service-account:ci"])).group ?? expect.fail();
    const [read] = (await root.directory.listGroups({})).groups;
    expect(read).toMatchObject({ name: "night", etag: made.etag });
    const changed = (await put(["service-account:ci", "user:admin"], made.etag)).group ?? expect.fail();
    await expect(put([], made.etag)).rejects.toMatchObject({ code: "ABORTED", reason: "ETAG_MISMATCH" });
    const fresh = root.directory.putGroup({ group: { name: "fresh", etag: made.etag } });
    await expect(fresh).rejects.toMatchObject({ code: "ABORTED" });
    const { groups } = await root.directory.listGroups({});
    expect(groups).toMatchObject([
      { name: "night", members: ["service-account:ci", "user:admin"], etag: changed.etag },
    ]);
  });

  it("is made by one of those who make it at the same moment, and by all who make the same", async () => {
    const make = (...members: string[]) =>
      root.directory.putGroup({ group: { name: "dawn", members }, createOnly: true });
    const outcomes = await Promise.allSettled([make("user:admin"), make("service-account:ci")]);
    const made = outcomes.find((outcome) => outcome.status === "fulfilled")?.value.group ?? expect.fail();
    expect(outcomes.filter((outcome) => outcome.status === "rejected")).toMatchObject([
      { reason: { code: "ABORTED", reason: "ETAG_MISMATCH" } },
    ]);
    expect((await make(...made.members)).group).toEqual(made);
    const { groups } = await root.directory.listGroups({});
    expect(groups.find(({ name }) => name === "dawn")).toEqual(made);
    await root.directory.deleteGroup({ name: "dawn" });
  });

  it("says in a dry run what would go with it, and goes without one", async () => {
    const subject = "group:night";
    await root.access.putGrant({ grant: { subject, resource: "p", level: Level.VIEW, effect: Effect.ALLOW } });
    const what = { members: ["service-account:ci", "user:admin"], grants: 1 };
    expect(await root.directory.deleteGroup({ name: "night", validateOnly: true })).toMatchObject(what);
    expect((await root.directory.listGroups({})).groups).toHaveLength(1);
    expect(await root.directory.deleteGroup({ name: "night" })).toMatchObject(what);
    expect((await root.directory.listGroups({})).groups).toEqual([]);
    expect((await root.access.listGrants({ subject })).grants).toEqual([]);
  });
});
