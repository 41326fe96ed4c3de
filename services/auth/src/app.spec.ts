import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Effect, Level } from "@aimass/api/auth";
import { type AimassError, type Clock, systemClock } from "@aimass/core";
import { waitFor } from "@aimass/testkit";
import { createLocalJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adminReset } from "./admin-reset.ts";
import { type AuthClients, type AuthFixture, startAuthFixture } from "./testing/auth-fixture.ts";

const password = "correct horse battery";

let auth: AuthFixture;
let root: AuthClients;
/** Auth's time while it stands still. */
let stoppedAt: number | undefined;
const clock: Clock = { ...systemClock, now: () => stoppedAt ?? systemClock.now() };

beforeAll(async () => {
  auth = await startAuthFixture({ clock });
  root = auth.as(await auth.signInAdmin());
});
afterAll(async () => {
  await auth?.[Symbol.asyncDispose]();
});

const refusal = (code: string, reason?: string) => expect.objectContaining({ code, ...(reason ? { reason } : {}) });

async function createUser(name: string, roles: string[] = []): Promise<AuthClients> {
  await root.directory.createUser({ name, password, roles });
  return auth.as(await auth.signIn(name, password));
}

describe("the first start", () => {
  it("makes an admin whose password only its owner can read", async () => {
    expect((await stat(join(auth.directory, "admin-password"))).mode & 0o777).toBe(0o600);
    expect(await root.session.whoAmI({})).toMatchObject({ principal: "user:admin", roles: ["admin"] });
  });

  it("makes none when a second process starts", async () => {
    const before = await readFile(join(auth.directory, "admin-password"), "utf8");
    const second = await auth.startProcess();
    expect(await readFile(join(auth.directory, "admin-password"), "utf8")).toBe(before);
    await second.stop(1000);
  });
});

describe("signing in", () => {
  it("answers a wrong name like a wrong password", async () => {
    await createUser("wanda");
    const attempt = (username: string) =>
      auth
        .as()
        .session.signIn({ username, password: "this is not the one" })
        .catch((error: AimassError) => `${error.code} ${error.message}`);
    expect(await attempt("wanda")).toBe(await attempt("nobody-at-all"));
    expect(await attempt("wanda")).toMatch(/^UNAUTHENTICATED/);
  });

  it("slows down whoever guesses, even with the right password in the end", async () => {
    await createUser("gail");
    const guess = (text: string) => auth.as().session.signIn({ username: "gail", password: text });
    // The first wait is a second, which a busy machine takes between two guesses.
    stoppedAt = systemClock.now();
    try {
      const outcomes = await Promise.all(
        Array.from({ length: 30 }, (_, i) => guess(`guess number ${i}`).catch((error: AimassError) => error.code)),
      );
      expect(outcomes.filter((code) => code === "UNAUTHENTICATED")).toHaveLength(6);
      await expect(guess(password)).rejects.toEqual(refusal("RESOURCE_EXHAUSTED", "TOO_MANY_ATTEMPTS"));
    } finally {
      stoppedAt = undefined;
    }
  });

  it("lets two clients that refresh at the same time both go on", async () => {
    await createUser("twin");
    const { tokens } = await auth.as().session.signIn({ username: "twin", password });
    const refreshToken = tokens?.refreshToken ?? "";
    const pairs = await Promise.all([1, 2].map(() => auth.as().session.refreshSession({ refreshToken })));
    for (const pair of pairs) {
      const mine = auth.as(pair.tokens?.accessToken);
      expect((await mine.session.whoAmI({})).principal).toBe("user:twin");
    }
    // One of them goes on with the session; the other has what it needs for now, and no chain of its own.
    expect(pairs.map((pair) => pair.tokens?.refreshToken).filter(Boolean)).toHaveLength(1);
  });

  it("ends with the session, and with it every access token at every enforcer before the answer", async () => {
    await createUser("otto");
    const enforcer = await auth.enforce("sign-out");
    const [left, kept] = await Promise.all(
      [1, 2].map(async () => (await auth.as().session.signIn({ username: "otto", password })).tokens),
    );
    const authenticate = (text = "") => enforcer.store.policy.authenticate({ kind: "bearer", text }, Date.now()).id;
    expect(authenticate(left?.accessToken)).toBe("user:otto");
    await auth.as().session.signOut({ refreshToken: left?.refreshToken ?? "" });
    expect(() => authenticate(left?.accessToken)).toThrow("The session of this token has ended.");
    await expect(auth.as(left?.accessToken).session.whoAmI({})).rejects.toEqual(refusal("UNAUTHENTICATED"));
    expect(authenticate(kept?.accessToken)).toBe("user:otto");
    await enforcer.stop();
  });

  it("ends, and ending it again is fine", async () => {
    await createUser("olga");
    const { tokens } = await auth.as().session.signIn({ username: "olga", password });
    const refreshToken = tokens?.refreshToken ?? "";
    await auth.as().session.signOut({ refreshToken });
    await auth.as().session.signOut({ refreshToken });
    await auth.as().session.signOut({ refreshToken: "never seen" });
    await expect(auth.as().session.refreshSession({ refreshToken })).rejects.toEqual(refusal("UNAUTHENTICATED"));
  });

  it("with a new password ends the other sessions and their access tokens, and keeps this one", async () => {
    await createUser("pia");
    const [mine, other] = await Promise.all(
      [1, 2].map(async () => (await auth.as().session.signIn({ username: "pia", password })).tokens),
    );
    const session = auth.as(mine?.accessToken).session;
    await expect(
      session.changePassword({ currentPassword: "wrong wrong wrong", newPassword: "x".repeat(12) }),
    ).rejects.toEqual(refusal("UNAUTHENTICATED"));
    await expect(session.changePassword({ currentPassword: password, newPassword: "short" })).rejects.toEqual(
      refusal("INVALID_ARGUMENT"),
    );
    await session.changePassword({ currentPassword: password, newPassword: "an entirely new one" });
    await expect(auth.as(other?.accessToken).session.whoAmI({})).rejects.toEqual(refusal("UNAUTHENTICATED"));
    const refresh = (refreshToken = "") => auth.as().session.refreshSession({ refreshToken });
    await expect(refresh(other?.refreshToken)).rejects.toEqual(refusal("UNAUTHENTICATED"));
    const again = await refresh(mine?.refreshToken);
    expect((await auth.as(again.tokens?.accessToken).session.whoAmI({})).principal).toBe("user:pia");
    await auth.signIn("pia", "an entirely new one");
  });

  it("gives tokens that a stock JWT library verifies by the key set, and only as what they are", async () => {
    const { jwksJson } = await auth.as().session.getJwks({});
    const keySet = createLocalJWKSet(JSON.parse(jwksJson));
    const token = await auth.signInAdmin();
    const expected = { issuer: "aimass-auth", audience: "aimass", typ: "at+jwt", algorithms: ["EdDSA"] };
    const { payload } = await jwtVerify(token, keySet, expected);
    expect(payload.sub).toBe("user:admin");
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeCloseTo(600, 3);
    await expect(jwtVerify(auth.router.token(), keySet, expected)).rejects.toThrow();
  });
});

describe("the directory", () => {
  it("refuses to lose its last admin, by role or by lock", async () => {
    const update = (change: object) => root.directory.updateUser({ name: "admin", ...change });
    await expect(update({ disabled: true })).rejects.toEqual(refusal("FAILED_PRECONDITION", "LAST_ADMIN"));
    await expect(update({ setRoles: true, roles: [] })).rejects.toEqual(refusal("FAILED_PRECONDITION", "LAST_ADMIN"));
  });

  it("keeps one admin when two remove each other at the same time", async () => {
    const second = await createUser("second", ["admin"]);
    const demote = (by: AuthClients, name: string) =>
      by.directory.updateUser({ name, setRoles: true, roles: [] }).then(
        () => "done",
        (error: AimassError) => error.reason,
      );
    const outcomes = await Promise.all([demote(root, "second"), demote(second, "admin")]);
    expect(outcomes.filter((outcome) => outcome === "done")).toHaveLength(1);
    // The other one came too late: it had lost the role by then, or would have removed the last admin.
    expect(["LAST_ADMIN", "ACCESS_DENIED"]).toContain(outcomes.find((outcome) => outcome !== "done"));
    const first = await readFile(join(auth.directory, "admin-password"), "utf8");
    const reset = await adminReset({ AIMASS_DATABASE_URL: auth.database.url, AIMASS_STATE_DIR: auth.directory });
    // The file of an earlier password is never written over: it may be that of another database, which comes back.
    expect(await readFile(join(auth.directory, "admin-password"), "utf8")).toBe(first);
    expect(reset.file).toBe(join(auth.directory, "admin-password-2"));
    expect((await stat(reset.file as string)).mode & 0o777).toBe(0o600);
    expect((await readFile(reset.file as string, "utf8")).trim()).toBe(reset.password);
    root = auth.as(await auth.signIn("admin", reset.password));
    await waitFor(async () => (await root.session.whoAmI({})).roles.includes("admin"));
    await root.directory.updateUser({ name: "second", disabled: true });
  });

  it("is closed to those without the role, and read by auditors", async () => {
    const [ada, audrey] = [await createUser("ada"), await createUser("audrey", ["auditor"])];
    await expect(ada.directory.listUsers({})).rejects.toEqual(refusal("PERMISSION_DENIED"));
    await expect(auth.as().directory.listUsers({})).rejects.toEqual(refusal("UNAUTHENTICATED"));
    await expect(audrey.directory.createUser({ name: "x", password })).rejects.toEqual(refusal("PERMISSION_DENIED"));
    const first = await audrey.directory.listUsers({ page: { size: 2 } });
    const second = await audrey.directory.listUsers({ page: { size: 2, token: first.page?.nextToken ?? "" } });
    const names = [...first.users, ...second.users].map((user) => user.name);
    expect(names).toEqual([...new Set(names)].sort());
    expect(names).toHaveLength(4);
    await expect(audrey.directory.listUsers({ page: { size: -1 } })).rejects.toEqual(refusal("INVALID_ARGUMENT"));
    expect((await audrey.directory.listUsers({ page: { size: 1001 } })).users.length).toBeGreaterThan(2);
    await expect(audrey.directory.listUsers({ page: { token: "?" } })).rejects.toEqual(refusal("INVALID_ARGUMENT"));
  });

  it("ends everything of a user who is disabled before it answers", async () => {
    const dora = await createUser("dora");
    const { secret } = await dora.directory.createApiKey({ description: "laptop" });
    expect((await auth.as(secret).session.whoAmI({})).principal).toBe("user:dora");
    await root.directory.updateUser({ name: "dora", disabled: true });
    await expect(dora.session.whoAmI({})).rejects.toEqual(refusal("UNAUTHENTICATED"));
    await expect(auth.as(secret).session.whoAmI({})).rejects.toEqual(refusal("UNAUTHENTICATED"));
    await expect(auth.signIn("dora", password)).rejects.toEqual(refusal("UNAUTHENTICATED"));
  });

  it("takes the grants of a group along when the group goes", async () => {
    const greta = await createUser("greta");
    await root.directory.putGroup({ group: { name: "fraud", members: ["user:greta"] } });
    await root.access.putGrant({
      grant: { subject: "group:fraud", resource: "risk", level: Level.EDIT, effect: Effect.ALLOW },
    });
    const may = async () => (await greta.access.explainAccess({ verb: "dataset.write", resource: "risk.f" })).allowed;
    expect(await may()).toBe(true);
    expect((await greta.session.whoAmI({})).groups).toEqual(["fraud"]);
    await root.directory.deleteGroup({ name: "fraud" });
    expect(await may()).toBe(false);
    expect((await root.access.listGrants({ subject: "group:fraud" })).grants).toEqual([]);
    await expect(root.directory.putGroup({ group: { name: "x", members: ["user:nobody"] } })).rejects.toEqual(
      refusal("NOT_FOUND"),
    );
  });

  it("shows a key's secret once and hides other people's keys", async () => {
    await root.directory.createServiceAccount({ name: "ci", description: "builds" });
    const { key, secret } = await root.directory.createApiKey({ principal: "service-account:ci" });
    expect(secret).toMatch(/^aim_[0-9a-f]{16}_/);
    expect((await auth.as(secret).session.whoAmI({})).principal).toBe("service-account:ci");
    const stranger = await createUser("stan");
    await expect(stranger.directory.revokeApiKey({ id: key?.id ?? "" })).rejects.toEqual(refusal("NOT_FOUND"));
    await expect(stranger.directory.createApiKey({ principal: "service-account:ci" })).rejects.toEqual(
      refusal("PERMISSION_DENIED"),
    );
    await expect(stranger.directory.listApiKeys({ principal: "service-account:ci" })).rejects.toEqual(
      refusal("PERMISSION_DENIED"),
    );
    await expect(root.directory.createServiceAccount({ name: "ci" })).rejects.toEqual(refusal("ALREADY_EXISTS"));
  });
});

describe("grants", () => {
  const allow = (subject: string, resource: string, level: Level, verbs: string[] = []) => ({
    grant: { subject, resource, level, verbs, effect: Effect.ALLOW },
  });

  it("are given by those who manage the resource, and never more than they have", async () => {
    const mia = await createUser("mia");
    await createUser("noah");
    await root.access.putGrant(allow("user:mia", "team", Level.MANAGE));
    await mia.access.putGrant(allow("user:noah", "team.m", Level.MANAGE));
    await expect(mia.access.putGrant(allow("user:noah", "other", Level.VIEW))).rejects.toEqual(
      refusal("PERMISSION_DENIED", "ACCESS_DENIED"),
    );
    await expect(mia.access.putGrant(allow("user:mia", "*", Level.MANAGE))).rejects.toEqual(
      refusal("PERMISSION_DENIED"),
    );
    for (const verb of ["code.run", "node.manage", "directory.manage", "audit.read"]) {
      await expect(mia.access.putGrant(allow("user:mia", "team", Level.UNSPECIFIED, [verb]))).rejects.toEqual(
        refusal("PERMISSION_DENIED", "GRANT_EXCEEDS_OWN"),
      );
    }
  });

  it("that deny cannot be taken back by the one they hit", async () => {
    const eve = await createUser("eve");
    await root.access.putGrant(allow("user:eve", "vault", Level.MANAGE));
    const denied = {
      subject: "user:eve",
      resource: "vault.m",
      level: Level.UNSPECIFIED,
      verbs: ["model.infer"],
      effect: Effect.DENY,
    };
    const { grant } = await root.access.putGrant({ grant: denied });
    await expect(eve.access.deleteGrant({ id: grant?.id ?? "" })).rejects.toEqual(refusal("PERMISSION_DENIED"));
    await expect(eve.access.putGrant({ grant: { ...denied, verbs: ["model.view"] } })).rejects.toEqual(
      refusal("PERMISSION_DENIED"),
    );
    const answer = await eve.access.explainAccess({ verb: "model.infer", resource: "vault.m" });
    expect(answer).toMatchObject({ allowed: false, grantId: grant?.id });
  });

  it("that deny are not named to whoever may not read grants there", async () => {
    const hal = await createUser("hal");
    await root.access.putGrant(allow("user:hal", "zone", Level.VIEW));
    const hidden = { ...allow("user:hal", "zone.secret", Level.VIEW).grant, effect: Effect.DENY };
    const { grant } = await root.access.putGrant({ grant: hidden });
    const question = { verb: "model.view", resource: "zone.secret" };
    const nothing = "Nothing grants user:hal model.view on zone.secret.";
    expect(await hal.access.explainAccess(question)).toMatchObject({ allowed: false, reason: nothing, grantId: "" });
    const asked = await root.access.explainAccess({ ...question, principal: "user:hal" });
    expect(asked).toMatchObject({ allowed: false, grantId: grant?.id });
  });

  it("replace an equal one, and say nothing new when nothing is", async () => {
    await createUser("uma");
    const one = await root.access.putGrant(allow("user:uma", "zoo", Level.VIEW));
    const two = await root.access.putGrant(allow("user:uma", "zoo", Level.INFER));
    const three = await root.access.putGrant(allow("user:uma", "zoo", Level.INFER));
    expect(two.grant?.id).toBe(one.grant?.id);
    expect(three.acknowledgement?.policyVersion).toBe(two.acknowledgement?.policyVersion);
    expect((await root.access.listGrants({ subject: "user:uma" })).grants).toHaveLength(1);
  });

  it("are shown to those who may read them there", async () => {
    const lee = await createUser("lee");
    await root.access.putGrant(allow("user:lee", "mine", Level.MANAGE));
    await root.access.putGrant(allow("anonymous", "mine.open", Level.INFER));
    const { grants } = await lee.access.listGrants({ page: { size: 10 } });
    expect(grants.map((grant) => grant.resource).sort()).toEqual(["mine", "mine.open"]);
    await expect(lee.access.listGrants({ resource: "team" })).rejects.toEqual(refusal("PERMISSION_DENIED"));
    await expect(
      lee.access.explainAccess({ principal: "user:mia", verb: "model.view", resource: "team" }),
    ).rejects.toEqual(refusal("PERMISSION_DENIED"));
  });

  it.each([
    ["a subject of no kind", { subject: "ada" }, "INVALID_ARGUMENT"],
    ["a subject nobody knows", { subject: "user:nobody" }, "NOT_FOUND"],
    ["a resource that is none", { resource: "a/b" }, "INVALID_ARGUMENT"],
    ["a verb that is none", { verbs: ["model.explode"] }, "INVALID_ARGUMENT"],
    ["neither level nor verb", { level: Level.UNSPECIFIED }, "INVALID_ARGUMENT"],
    ["no effect", { effect: Effect.UNSPECIFIED }, "INVALID_ARGUMENT"],
    ["an end in the past", { expiresAt: { seconds: 1n, nanos: 0 } }, "INVALID_ARGUMENT"],
    ["management for everybody", { subject: "anonymous", level: Level.EDIT }, "INVALID_ARGUMENT"],
  ])("are refused with %s", async (_, change, code) => {
    const grant = { subject: "user:admin", resource: "p", level: Level.VIEW, effect: Effect.ALLOW, ...change };
    await expect(root.access.putGrant({ grant })).rejects.toEqual(refusal(code));
  });
});

describe("a direct call", () => {
  it("to the policy feed on behalf of a user is refused", async () => {
    await expect(root.policy.acknowledgePolicy({ enforcerId: "router/x" })).rejects.toEqual(
      refusal("PERMISSION_DENIED"),
    );
  });
});
