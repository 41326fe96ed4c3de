import { systemClock } from "@aimass/core";
import { openStore } from "@aimass/store";
import { createTestDatabase } from "@aimass/testkit";
import { describe, expect, it } from "vitest";
import type { AuthDatabase } from "../database.ts";
import { authMigrations } from "../migrations/index.ts";
import { PolicyWriter } from "../policy/policy-change.ts";
import { Seal } from "./seal.ts";
import { SigningKeys } from "./signing-keys.ts";

const hourMs = 3_600_000;

describe("SigningKeys", () => {
  it("announces a successor before it signs, and keeps the old key as long as its tokens live", async () => {
    await using database = await createTestDatabase();
    await using store = await openStore<AuthDatabase>({
      url: database.url,
      schema: "auth",
      migrations: authMigrations,
    });
    let aheadMs = 0;
    const clock = { ...systemClock, now: () => Date.now() + aheadMs };
    const writer = new PolicyWriter(store);
    const keys = new SigningKeys({ writer, seal: new Seal("a secret of the test"), clock });
    const setOf = async () => (JSON.parse(await keys.jwks()) as { keys: { kid: string }[] }).keys.map((key) => key.kid);

    await keys.maintain(hourMs);
    const first = await keys.current();
    aheadMs += hourMs;
    await keys.maintain(hourMs);
    expect((await keys.current()).keyId).toBe(first.keyId);
    const both = await setOf();
    expect(both).toHaveLength(2);
    aheadMs += 16_000;
    const second = await keys.current();
    expect(second.keyId).not.toBe(first.keyId);
    expect(both).toEqual([second.keyId, first.keyId]);
    await keys.maintain(hourMs);
    expect(await setOf()).toEqual(both);
    aheadMs += 12 * 60_000;
    await keys.maintain(hourMs);
    expect(await setOf()).toEqual([second.keyId]);
    expect([...(await keys.publicKeys()).keys()].sort()).toEqual([first.keyId, second.keyId].sort());

    const { rows } = await store.pool.query("select sealed_private_key from auth.signing_key where id = $1", [
      first.keyId,
    ]);
    expect(rows[0].sealed_private_key).toBeNull();
    const stranger = new SigningKeys({ writer, seal: new Seal("some other secret"), clock });
    await expect(stranger.current()).rejects.toMatchObject({ code: "FAILED_PRECONDITION", reason: "WRONG_SECRET" });
  });
});

describe("Seal", () => {
  it("opens what it closed under the same name and secret, and nothing else", () => {
    const seal = new Seal("one secret");
    const sealed = seal.close("a", Buffer.from("content"));
    expect(seal.open("a", sealed)?.toString()).toBe("content");
    expect(seal.open("b", sealed)).toBeUndefined();
    expect(new Seal("another secret").open("a", sealed)).toBeUndefined();
    sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
    expect(seal.open("a", sealed)).toBeUndefined();
    expect(seal.open("a", sealed.subarray(0, 5))).toBeUndefined();
  });
});
