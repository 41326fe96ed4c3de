import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Effect, Level } from "@aimass/api/auth";
import { systemClock } from "@aimass/core";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adminReset } from "../admin-reset.ts";
import { type AuthClients, type AuthFixture, startAuthFixture } from "../testing/auth-fixture.ts";

/** The machine's clock, moved ahead at will. */
let aheadMs = 0;
const clock = { ...systemClock, now: () => Date.now() + aheadMs };
const dayMs = 24 * 3_600_000;
const password = "correct horse battery";
let auth: AuthFixture;
let root: AuthClients;

beforeAll(async () => {
  auth = await startAuthFixture({ clock });
  root = auth.as(await auth.signInAdmin());
  for (const name of ["ada", "bob", "cleo"]) await root.directory.createUser({ name, password });
  await root.directory.createServiceAccount({ name: "ci" });
});
afterAll(async () => {
  await auth?.[Symbol.asyncDispose]();
});

const as = async (name: string) => auth.as(await auth.signIn(name, password));
const inDays = (days: number) => ({ expiresAt: timestampFromMs(clock.now() + days * dayMs) });

describe("a key", () => {
  it("makes no key, no user and no password, whatever its owner may do", async () => {
    const { secret } = await root.directory.createApiKey(inDays(0.1));
    const lent = auth.as(secret);
    expect((await lent.directory.listUsers({})).users.length).toBeGreaterThan(0);
    const currentPassword = await adminPassword();
    const attempts = [
      () => lent.directory.createApiKey({}),
      () => lent.directory.createApiKey({ principal: "service-account:ci", ...inDays(0.1) }),
      () => lent.directory.createApiKey({ currentPassword }),
      () => lent.directory.createUser({ name: "mole", password }),
      () => lent.directory.updateUser({ name: "admin", password }),
    ];
    for (const attempt of attempts) {
      await expect(attempt()).rejects.toMatchObject({ code: "PERMISSION_DENIED", reason: "SESSION_NEEDED" });
    }
    await expect(auth.signIn("admin", password)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });

  it("of a service account makes none either, though the account may manage the directory", async () => {
    const subject = "service-account:ci";
    const grant = {
      subject,
      resource: "*",
      level: Level.UNSPECIFIED,
      verbs: ["directory.manage"],
      effect: Effect.ALLOW,
    };
    await root.access.putGrant({ grant });
    const { secret } = await root.directory.createApiKey({ principal: subject });
    await expect(auth.as(secret).directory.createApiKey({})).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  });

  it("is made within ten minutes of the sign-in, or with the password", async () => {
    const ada = await as("ada");
    await ada.directory.createApiKey({});
    aheadMs += 9.5 * 60_000;
    await ada.directory.createApiKey({});
    aheadMs += 0.4 * 60_000;
    const { tokens } = await auth.as().session.signIn({ username: "ada", password });
    aheadMs += 11 * 60_000;
    const renewed = await auth.as().session.refreshSession({ refreshToken: tokens?.refreshToken ?? "" });
    const late = auth.as(renewed.tokens?.accessToken);
    await expect(late.directory.createApiKey({})).rejects.toMatchObject({ reason: "FRESH_SIGN_IN_NEEDED" });
    const wrong = late.directory.createApiKey({ currentPassword: "not the password" });
    await expect(wrong).rejects.toMatchObject({ code: "UNAUTHENTICATED", reason: "SIGN_IN_FAILED" });
    await late.directory.createApiKey({ currentPassword: password });
  });

  it("ends after ninety days unless told otherwise, after 366 at most, and only managers make one without an end", async () => {
    const bob = await as("bob");
    const daysOf = async (made: ReturnType<typeof bob.directory.createApiKey>) => {
      const { key } = await made;
      return key?.expiresAt === undefined ? "never" : Math.round((timestampMs(key.expiresAt) - clock.now()) / dayMs);
    };
    expect(await daysOf(bob.directory.createApiKey({}))).toBe(90);
    expect(await daysOf(bob.directory.createApiKey(inDays(366)))).toBe(366);
    for (const end of [inDays(367), { neverExpires: true }]) {
      await expect(bob.directory.createApiKey(end)).rejects.toMatchObject({ reason: "KEY_END_TOO_FAR" });
    }
    root = auth.as(await auth.signInAdmin());
    expect(await daysOf(root.directory.createApiKey({ neverExpires: true }))).toBe("never");
    expect(await daysOf(root.directory.createApiKey(inDays(1000)))).toBe(1000);
    const both = root.directory.createApiKey({ neverExpires: true, ...inDays(1) });
    await expect(both).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("that has ended does not count toward the hundred in use", async () => {
    const cleo = await as("cleo");
    for (let made = 0; made < 100; made++) await cleo.directory.createApiKey(inDays(0.01));
    await expect(cleo.directory.createApiKey({})).rejects.toMatchObject({ reason: "TOO_MANY_KEYS" });
    aheadMs += 0.02 * dayMs;
    await (await as("cleo")).directory.createApiKey({});
  }, 120_000);
});

describe("a new password", () => {
  const isRefused = async (secret: string) =>
    await auth
      .as(secret)
      .session.whoAmI({})
      .then(
        () => false,
        () => true,
      );

  it("leaves the keys, unless they are to go with it", async () => {
    const bob = await as("bob");
    const { secret } = await bob.directory.createApiKey({});
    await bob.session.changePassword({ currentPassword: password, newPassword: `${password} 2` });
    expect(await isRefused(secret)).toBe(false);
    const again = auth.as(await auth.signIn("bob", `${password} 2`));
    const change = { currentPassword: `${password} 2`, newPassword: password };
    await again.session.changePassword({ ...change, revokeKeys: true });
    expect(await isRefused(secret)).toBe(true);
  });

  it("set by an admin takes them along when asked to, before it answers", async () => {
    const { secret } = await (await as("bob")).directory.createApiKey({});
    root = auth.as(await auth.signInAdmin());
    await root.directory.updateUser({ name: "bob", password });
    expect(await isRefused(secret)).toBe(false);
    await root.directory.updateUser({ name: "bob", revokeKeys: true });
    expect(await isRefused(secret)).toBe(true);
  });

  it("of a reset takes the admin's keys along when asked to, and ends the sessions", async () => {
    const token = await auth.signInAdmin();
    const { secret } = await auth.as(token).directory.createApiKey({});
    const env = { AIMASS_DATABASE_URL: auth.database.url, AIMASS_STATE_DIR: auth.directory };
    await adminReset(env, { clock });
    await expect.poll(() => isRefused(token)).toBe(true);
    expect(await isRefused(secret)).toBe(false);
    await adminReset(env, { clock, revokeKeys: true });
    await expect.poll(() => isRefused(secret)).toBe(true);
  });
});

async function adminPassword(): Promise<string> {
  return (await readFile(join(auth.directory, "admin-password"), "utf8")).trim();
}
