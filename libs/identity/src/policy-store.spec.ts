import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PolicyUpdate, PolicyUpdateSchema } from "@aimass/api/auth";
import { bestTurn, longestTurn, threadMs } from "@aimass/testkit";
import { clone, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { KeyedState } from "./keyed-state.ts";
import { PolicyStore } from "./policy-store.ts";
import { policyEntryBytes, signPolicyUpdate } from "./policy-update.ts";
import type { Principal } from "./principal.ts";
import {
  enforcerWith,
  fullUpdate,
  grantEntry,
  principalEntry,
  stillClock,
  twoServices,
} from "./testing/policy-fixture.ts";

const now = 1_700_000_000_000;
const ada: Principal = { kind: "user", id: "user:ada", groups: [], roles: [] };
const one = [principalEntry("user:ada"), grantEntry({ id: "1" })];
const two = grantEntry({ id: "2", resource: "other" });

function delta(auth: Parameters<typeof fullUpdate>[0], version: bigint, issuedAtMs: number): PolicyUpdate {
  const after = new KeyedState([...one.slice(0, 1), two].map((e) => [e.key, policyEntryBytes(e)] as const));
  const head = { epoch: "first", version, digest: after.digest(), issuedAtMs, maxAgeSeconds: 86_400n };
  return signPolicyUpdate(auth, head, { full: false, entries: [two], removedKeys: ["grant/1"] });
}

describe("a clock that was ahead and is set right", () => {
  const twoHours = 7_200_000;

  it("lets updates of another epoch in again, and counts their age", () => {
    const clock = stillClock(now + twoHours);
    const { auth, store } = enforcerWith(one, clock);
    store.apply(fullUpdate(auth, one, { version: 2n, issuedAtMs: now + twoHours }));
    clock.at = now;
    store.apply(fullUpdate(auth, one, { version: 1n, issuedAtMs: now, epoch: "restored" }));
    expect(store.epoch).toBe("restored");
    clock.at = now + 5000;
    expect(store.ageMs()).toBe(5000);
  });

  it("brings back a grant that had seemed to have run out", () => {
    const clock = stillClock(now);
    const until = { seconds: BigInt((now + 3_600_000) / 1000), nanos: 0 };
    const { policy } = enforcerWith(
      [principalEntry("user:ada"), grantEntry({ id: "1", expiresAt: until as never })],
      clock,
    );
    expect(policy.allows(ada, "model.infer", "default.m", now)).toBe(true);
    expect(policy.allows(ada, "model.infer", "default.m", now + twoHours)).toBe(false);
    expect(policy.allows(ada, "model.infer", "default.m", now)).toBe(true);
  });
});

describe("PolicyStore.apply()", () => {
  it("follows a full snapshot, a delta and a sign of life", () => {
    const clock = stillClock(now);
    const { auth, store, policy } = enforcerWith(one, clock);
    let changes = 0;
    using _ = store.onChange(() => changes++);
    expect(policy.allows(ada, "model.infer", "default.m", now)).toBe(true);
    store.apply(delta(auth, 2n, now));
    expect(store.version).toBe(2n);
    expect(policy.allows(ada, "model.infer", "default.m", now)).toBe(false);
    expect(policy.allows(ada, "model.infer", "other.m", now)).toBe(true);
    clock.at += 5000;
    expect(store.ageMs()).toBe(5000);
    const life = { ...delta(auth, 2n, clock.at), entries: [], removedKeys: [] };
    store.apply(life);
    expect(store.ageMs()).toBe(0);
    expect(changes).toBe(1);
  });

  it("keeps the state before when an update does not fit", () => {
    const clock = stillClock(now);
    const { auth, router, store, policy } = enforcerWith(one, clock);
    const refusal = (update: PolicyUpdate, reason: string) => {
      expect(() => store.apply(update)).toThrowError(expect.objectContaining({ reason }));
      expect(store.version).toBe(1n);
      expect(policy.allows(ada, "model.infer", "default.m", now)).toBe(true);
      expect(policy.allows(ada, "model.infer", "other.m", now)).toBe(false);
    };
    const good = delta(auth, 2n, now);
    refusal({ ...good, removedKeys: [] }, "POLICY_GAP");
    refusal({ ...good, entries: [grantEntry({ id: "2", resource: "*" })] }, "POLICY_GAP");
    refusal({ ...good, version: 3n }, "POLICY_SIGNATURE");
    refusal({ ...good, maxAgeSeconds: 1n << 40n }, "POLICY_SIGNATURE");
    refusal({ ...good, digest: new Uint8Array(32) }, "POLICY_SIGNATURE");
    refusal(delta(router, 2n, now), "POLICY_SIGNATURE");
    refusal(delta(twoServices(clock).auth, 2n, now), "POLICY_SIGNATURE");
    refusal(delta(auth, 2n, now + 60_000), "POLICY_SIGNATURE");
    refusal(delta(auth, 0n, now), "POLICY_ROLLBACK");
    refusal(fullUpdate(auth, [], { version: 9n, epoch: "older", issuedAtMs: now - 60_000 }), "POLICY_ROLLBACK");
    store.apply(good);
    expect(store.version).toBe(2n);
  });

  it("takes a full snapshot of a new epoch whatever its version", () => {
    const { auth, store } = enforcerWith(one, stillClock(now));
    store.apply(delta(auth, 7n, now));
    store.apply(fullUpdate(auth, one, { version: 1n, epoch: "second", issuedAtMs: now }));
    expect([store.epoch, store.version]).toEqual(["second", 1n]);
  });

  it("decides nothing before the first snapshot", () => {
    const clock = stillClock(now);
    const { auth, router } = twoServices(clock);
    const store = new PolicyStore({ identity: router, clock });
    expect(store.ageMs()).toBe(Number.POSITIVE_INFINITY);
    expect(() => store.policy.allows(ada, "model.infer", "default.m", now)).toThrowError(/not received/);
    expect(() => store.apply(delta(auth, 2n, now))).toThrowError(expect.objectContaining({ reason: "POLICY_GAP" }));
  });
});

describe("PolicyStore.save()", () => {
  it("keeps a state that another process loads, and that nobody can tamper with", async () => {
    const clock = stillClock(now);
    const directory = await mkdtemp(join(tmpdir(), "policy-"));
    const file = join(directory, "policy.bin");
    try {
      const { auth, router, store } = enforcerWith(one, clock);
      store.apply(delta(auth, 2n, now));
      await store.save(file);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      const loaded = new PolicyStore({ identity: router, clock });
      expect(await loaded.load(file)).toBe(true);
      expect(loaded.version).toBe(2n);
      expect(loaded.policy.allows(ada, "model.infer", "other.m", now)).toBe(true);

      const message = fromBinary(PolicyUpdateSchema, await readFile(file));
      const grant = message.entries.find((e) => e.entry.case === "grant");
      if (grant?.entry.case === "grant") grant.entry.value.resource = "*";
      await writeFile(file, toBinary(PolicyUpdateSchema, clone(PolicyUpdateSchema, message)));
      const fooled = new PolicyStore({ identity: router, clock });
      expect(await fooled.load(file)).toBe(false);
      expect(fooled.version).toBe(0n);
      await writeFile(file, "garbage");
      expect(await fooled.load(file)).toBe(false);
      expect(await fooled.load(join(directory, "missing"))).toBe(false);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe("a policy of 100 000 facts", () => {
  const many = [
    principalEntry("user:ada"),
    ...Array.from({ length: 100_000 }, (_, i) =>
      grantEntry({
        id: `0b6f2c1e-7d55-4c8e-9a31-${String(i).padStart(12, "0")}`,
        resource: `project${i % 500}.model${i}`,
      }),
    ),
  ];

  it("takes a changed grant, and is written to disk, without holding the event loop up", async () => {
    const directory = await mkdtemp(join(tmpdir(), "policy-"));
    const file = join(directory, "policy.bin");
    try {
      const { auth, router, store } = enforcerWith(many, stillClock(now));
      const after = new KeyedState(many.map((e) => [e.key, policyEntryBytes(e)] as const));
      const changes = [2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n].map((version) => {
        const entry = grantEntry({ id: `new-${version}`, resource: `other.model${version}` });
        after.set(entry.key, policyEntryBytes(entry));
        const head = { epoch: "first", version, digest: after.digest(), issuedAtMs: now, maxAgeSeconds: 86_400n };
        return signPolicyUpdate(auth, head, { full: false, entries: [entry], removedKeys: [] });
      });
      // The best of some tries: on a machine that many share, the others' time is counted too.
      const applyMs = [];
      for (const change of changes) applyMs.push(await threadMs(() => store.apply(change)));
      const turns = [];
      for (let i = 0; i < 4; i++) turns.push(await longestTurn(() => store.save(file)));
      expect(store.version).toBe(9n);
      expect(Math.min(...applyMs)).toBeLessThan(25);
      expect(Math.min(...turns)).toBeLessThan(50);
      const loaded = new PolicyStore({ identity: router, clock: stillClock(now) });
      expect(await loaded.load(file)).toBe(true);
      expect([loaded.version, loaded.size]).toEqual([9n, store.size]);
    } finally {
      await rm(directory, { recursive: true });
    }
  }, 240_000);
});

describe("a full policy of 100 000 facts that comes encoded", () => {
  const count = 100_000;
  const { auth, router } = twoServices(stillClock(now));
  const before = [principalEntry("user:ada"), grantEntry({ id: "0", resource: "old0.m0" })];
  const after = [
    principalEntry("user:ada"),
    ...Array.from({ length: count }, (_, i) => grantEntry({ id: String(i), resource: `new${i % 500}.m${i}` })),
  ];
  const last = grantEntry({ id: "last", resource: "last" });
  const encode = (update: PolicyUpdate) => toBinary(PolicyUpdateSchema, update);
  const digestOf = (entries: typeof after) => new KeyedState(entries.map((e) => [e.key, policyEntryBytes(e)])).digest();
  const head = (version: bigint, digest: Uint8Array) => ({
    epoch: "first",
    version,
    digest,
    issuedAtMs: now,
    maxAgeSeconds: 86_400n,
  });
  const full = encode(fullUpdate(auth, after, { version: 2n, issuedAtMs: now }));

  function makeStore(entries = before): PolicyStore {
    const store = new PolicyStore({ identity: router, clock: stillClock(now) });
    store.apply(fullUpdate(auth, entries, { version: 1n, issuedAtMs: now }));
    return store;
  }

  it("is taken in turns, answers by the state before until it is whole, and loses no update that comes meanwhile", async () => {
    const step = encode(
      signPolicyUpdate(auth, head(3n, digestOf([...after, last])), { full: false, entries: [last], removedKeys: [] }),
    );
    const turns = await bestTurn(async () => {
      const store = makeStore();
      let changes = 0;
      using _ = store.onChange(() => changes++);
      const seen = new Set<string>();
      const look = () => {
        const may = ["old0.m0", "new0.m0", `new499.m${count - 1}`, "last.m"];
        seen.add(may.map((resource) => Number(store.policy.allows(ada, "model.infer", resource, now))).join(""));
      };
      const looking = setInterval(look, 1);
      const turn = await longestTurn(
        async () => void (await Promise.all([full, step].map((u) => store.applyEncoded(u)))),
      );
      clearInterval(looking);
      look();
      expect([store.version, store.size, changes]).toEqual([3n, count + 2, 2]);
      // Before, perhaps in between, after; never a part of the policy.
      expect([...seen].filter((state) => !["1000", "0110", "0111"].includes(state))).toEqual([]);
      expect(seen.size).toBeGreaterThan(1);
      return turn;
    });
    expect(turns).toBeLessThan(50);
  }, 120_000);

  it("is read from disk in turns too", async () => {
    const directory = await mkdtemp(join(tmpdir(), "policy-"));
    const file = join(directory, "policy.bin");
    try {
      await writeFile(file, full);
      const turn = await bestTurn(async () => {
        const loaded = new PolicyStore({ identity: router, clock: stillClock(now) });
        const longest = await longestTurn(async () => void (await loaded.load(file)));
        expect([loaded.version, loaded.size]).toEqual([2n, count + 1]);
        return longest;
      });
      expect(turn).toBeLessThan(50);
    } finally {
      await rm(directory, { recursive: true });
    }
  }, 120_000);

  it("leaves nothing behind when it was tampered with", async () => {
    const store = makeStore();
    const tampered = fullUpdate(auth, after.slice(0, 2000), { version: 3n, issuedAtMs: now });
    tampered.entries = [...tampered.entries.slice(0, -1), grantEntry({ id: "9999", resource: "*" })];
    await expect(store.applyEncoded(encode(tampered))).rejects.toMatchObject({ reason: "POLICY_GAP" });
    await expect(store.applyEncoded(Buffer.from("garbage"))).rejects.toThrow();
    expect([store.version, store.size]).toEqual([1n, 2]);
    expect(store.policy.allows(ada, "model.infer", "other.m", now)).toBe(false);
  });

  it("is continued by many changes in turns, but not when another update was taken meanwhile", async () => {
    const held = after.slice(0, 20_001);
    const store = makeStore(held);
    const changed = Array.from({ length: 1000 }, (_, i) => grantEntry({ id: String(i), resource: `changed.m${i}` }));
    const removedKeys = held.slice(15_001).map(({ key }) => key);
    const wanted = new Map([...held.slice(0, 15_001), ...changed].map((entry) => [entry.key, entry]));
    const digest = digestOf([...wanted.values()]);
    const step = encode(signPolicyUpdate(auth, head(2n, digest), { full: false, entries: changed, removedKeys }));
    const other = fullUpdate(auth, [...held, last], { version: 2n, issuedAtMs: now });
    const overtaken = store.applyEncoded(step);
    const refused = expect(overtaken).rejects.toMatchObject({ reason: "POLICY_GAP" });
    for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
    store.apply(other);
    await refused;
    expect(store.policy.allows(ada, "model.infer", "last.m", now)).toBe(true);
    const next = makeStore(held);
    await next.applyEncoded(step);
    expect(next.size).toBe(15_001);
    expect(next.policy.allows(ada, "model.infer", "changed.m1", now)).toBe(true);
    expect(next.policy.allows(ada, "model.infer", "new1.m1", now)).toBe(false);
    expect(next.policy.allows(ada, "model.infer", "new1.m15001", now)).toBe(false);
  }, 120_000);
});
