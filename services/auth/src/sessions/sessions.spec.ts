import { type AimassError, systemClock } from "@aimass/core";
import { openStore } from "@aimass/store";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuthDatabase } from "../database.ts";
import { authMigrations } from "../migrations/index.ts";
import { PolicyWriter } from "../policy/policy-change.ts";
import { type AuthFixture, startAuthFixture } from "../testing/auth-fixture.ts";
import { withdrawEndedSessions } from "./end-sessions.ts";

/** The machine's clock, moved ahead at will. */
let aheadMs = 0;
const clock = { ...systemClock, now: () => Date.now() + aheadMs };
const password = "correct horse battery";
let auth: AuthFixture;

beforeAll(async () => {
  auth = await startAuthFixture({ clock });
  const root = auth.as(await auth.signInAdmin());
  for (const name of ["ada", "bob", "cleo"]) await root.directory.createUser({ name, password });
});
afterAll(async () => {
  await auth?.[Symbol.asyncDispose]();
});

const refresh = async (refreshToken: string) => (await auth.as().session.refreshSession({ refreshToken })).tokens;
const whoAmI = (accessToken: string | undefined) =>
  auth
    .as(accessToken)
    .session.whoAmI({})
    .then((answer) => answer.principal)
    .catch((error: AimassError) => error.code);

describe("a stolen refresh token", () => {
  it("ends the session of thief and owner alike, with every access token made so far", async () => {
    const { tokens: owner } = await auth.as().session.signIn({ username: "ada", password });
    const thief = await refresh(owner?.refreshToken ?? "");
    expect(await whoAmI(thief?.accessToken)).toBe("user:ada");
    aheadMs += 10_500;
    await expect(refresh(owner?.refreshToken ?? "")).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      reason: "REFRESH_REUSED",
    });
    await expect(refresh(thief?.refreshToken ?? "")).rejects.toMatchObject({ reason: "SESSION_ENDED" });
    expect(await whoAmI(thief?.accessToken)).toBe("UNAUTHENTICATED");
    expect(await whoAmI(owner?.accessToken)).toBe("UNAUTHENTICATED");
    const { tokens: again } = await auth.as().session.signIn({ username: "ada", password });
    expect(await whoAmI(again?.accessToken)).toBe("user:ada");
  });

  it("gives within ten seconds an access token and no chain of its own", async () => {
    const { tokens } = await auth.as().session.signIn({ username: "ada", password });
    const next = await refresh(tokens?.refreshToken ?? "");
    const replayed = await refresh(tokens?.refreshToken ?? "");
    expect(replayed?.refreshToken).toBe("");
    expect(await whoAmI(replayed?.accessToken)).toBe("user:ada");
    await auth.as().session.signOut({ refreshToken: next?.refreshToken ?? "" });
    expect(await whoAmI(replayed?.accessToken)).toBe("UNAUTHENTICATED");
  });

  it("is one that nobody ever got, too", async () => {
    await expect(refresh(`aimr_${"A".repeat(43)}`)).rejects.toMatchObject({ reason: "SESSION_ENDED" });
  });
});

describe("a clock", () => {
  it("that was two hours ahead when tokens were ended refuses none that came after it was set right, and those before for good", async () => {
    const { tokens: early } = await auth.as().session.signIn({ username: "bob", password });
    aheadMs += 7_200_000;
    const { tokens: ahead } = await auth.as().session.signIn({ username: "bob", password });
    const changed = { currentPassword: password, newPassword: password };
    await auth.as(ahead?.accessToken).session.changePassword(changed);
    aheadMs -= 7_200_000;
    expect(await whoAmI(early?.accessToken)).toBe("UNAUTHENTICATED");
    const { tokens: after } = await auth.as().session.signIn({ username: "bob", password });
    expect(await whoAmI(after?.accessToken)).toBe("user:bob");
    aheadMs += 7_200_000;
    expect(await whoAmI(ahead?.accessToken)).toBe("UNAUTHENTICATED");
  });
});

describe("time", () => {
  it("ends an access token after ten minutes and a session after thirty days without use", async () => {
    const { tokens } = await auth.as().session.signIn({ username: "bob", password });
    aheadMs += 9 * 60_000;
    expect(await whoAmI(tokens?.accessToken)).toBe("user:bob");
    aheadMs += 2 * 60_000;
    expect(await whoAmI(tokens?.accessToken)).toBe("UNAUTHENTICATED");
    const next = await refresh(tokens?.refreshToken ?? "");
    expect(await whoAmI(next?.accessToken)).toBe("user:bob");
    aheadMs += 31 * 24 * 3_600_000;
    await expect(refresh(next?.refreshToken ?? "")).rejects.toMatchObject({ reason: "SESSION_ENDED" });
  });

  it("ends a session ninety days after its sign-in, however often it is used", async () => {
    const days = (count: number) => count * 24 * 3_600_000;
    let { tokens } = await auth.as().session.signIn({ username: "bob", password });
    const begunAt = clock.now();
    for (let used = 0; used < 4; used++) {
      aheadMs += days(20);
      tokens = await refresh(tokens?.refreshToken ?? "");
    }
    expect(timestampMs(tokens?.refreshExpiresAt ?? expect.fail()) - begunAt).toBeLessThan(days(90) + 60_000);
    aheadMs += days(11);
    await expect(refresh(tokens?.refreshToken ?? "")).rejects.toMatchObject({ reason: "SESSION_ENDED" });
  });

  it("takes an ended session out of the policy once no access token of it can be about", async () => {
    const enforcer = await auth.enforce("forgetful");
    const before = enforcer.store.size;
    const { tokens } = await auth.as().session.signIn({ username: "bob", password });
    await auth.as().session.signOut({ refreshToken: tokens?.refreshToken ?? "" });
    expect(enforcer.store.size).toBe(before + 1);
    await using store = await openStore<AuthDatabase>({
      url: auth.database.url,
      schema: "auth",
      migrations: authMigrations,
    });
    const writer = new PolicyWriter(store);
    await withdrawEndedSessions(writer, clock.now() + 600_000);
    expect(enforcer.store.size).toBe(before + 1);
    await withdrawEndedSessions(writer, clock.now() + 700_000);
    await expect.poll(() => enforcer.store.size).toBeLessThanOrEqual(before);
    await enforcer.stop();
  });

  it("forgives wrong passwords: after the wait the right one works", async () => {
    const signIn = (text: string) => auth.as().session.signIn({ username: "cleo", password: text });
    for (let i = 0; i < 6; i++)
      await expect(signIn("not the password")).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    const blocked: AimassError = await signIn(password).then(
      () => expect.unreachable(),
      (error: AimassError) => error,
    );
    expect(blocked).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "TOO_MANY_ATTEMPTS" });
    expect(blocked.remedy).toMatch(/Wait \d+ seconds/);
    aheadMs += 3000;
    await signIn(password);
    await signIn(password);
  });
});
