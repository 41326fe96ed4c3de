import { systemClock } from "@aimass/core";
import { openStore, type Store } from "@aimass/store";
import { createTestDatabase, type TestDatabase } from "@aimass/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AuthDatabase } from "../database.ts";
import { authMigrations } from "../migrations/index.ts";
import { AttemptLimit, networkOf } from "./attempt-limit.ts";

let database: TestDatabase;
let store: Store<AuthDatabase>;
const clock = { ...systemClock, at: Date.UTC(2030, 0, 1), now: timeOf };

function timeOf(this: { at: number }): number {
  return this.at;
}

beforeAll(async () => {
  database = await createTestDatabase();
  store = await openStore<AuthDatabase>({ url: database.url, schema: "auth", migrations: authMigrations });
});
afterAll(async () => {
  await store?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await store.db.deleteFrom("sign_in_attempt").execute();
});

const limit = () => new AttemptLimit(store, clock);
const outcome = (user: string, address: string) =>
  limit()
    .begin({ user, address })
    .then(
      () => "free",
      (error: { reason: string }) => error.reason,
    );

describe("wrong passwords", () => {
  const office = "203.0.113.7";

  it("of others at one address do not stop a user who signed in there before", async () => {
    await limit().begin({ user: "ada", address: office });
    await limit().succeed({ user: "ada", address: office });
    for (let i = 0; i < 40; i++) await outcome(`sprayed-${i}`, office);
    expect(await outcome("bob", office)).toBe("TOO_MANY_ATTEMPTS");
    expect(await outcome("ada", office)).toBe("free");
  });

  it("for a user from elsewhere do not stop that user where they signed in before", async () => {
    await limit().begin({ user: "ada", address: office });
    await limit().succeed({ user: "ada", address: office });
    for (let i = 0; i < 10; i++) await outcome("ada", "198.51.100.1");
    expect(await outcome("ada", "198.51.100.1")).toBe("TOO_MANY_ATTEMPTS");
    expect(await outcome("ada", office)).toBe("free");
  });

  it("are limited at a known address too", async () => {
    await limit().begin({ user: "ada", address: office });
    await limit().succeed({ user: "ada", address: office });
    for (let i = 0; i < 11; i++) await outcome("ada", office);
    expect(await outcome("ada", office)).toBe("TOO_MANY_ATTEMPTS");
  });

  it("from all addresses of one IPv6 network count together", async () => {
    for (let i = 0; i < 21; i++) await outcome(`u${i}`, `2001:db8:1:2::${i + 1}`);
    expect(await outcome("last", "2001:db8:1:2:ffff::1")).toBe("TOO_MANY_ATTEMPTS");
    expect(await outcome("last", "2001:db8:1:3::1")).toBe("free");
  });

  it("that were counted by a clock that was ahead block nobody once it is right", async () => {
    clock.at += 7_200_000;
    for (let i = 0; i < 8; i++) await outcome("ada", "");
    clock.at -= 7_200_000;
    expect(await outcome("ada", "")).toBe("free");
  });
});

it.each([
  ["203.0.113.7", "203.0.113.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:DB8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
])("counts %s by %s", (address, network) => expect(networkOf(address)).toBe(network));
