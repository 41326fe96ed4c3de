import { Effect, Level, type PolicyUpdate, PolicyUpdateSchema } from "@aimass/api/auth";
import { systemClock } from "@aimass/core";
import { PolicyStore } from "@aimass/identity";
import { waitFor } from "@aimass/testkit";
import { fromBinary } from "@bufbuild/protobuf";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthClients, type AuthFixture, type Enforcer, startAuthFixture } from "./testing/auth-fixture.ts";

let auth: AuthFixture;
let root: AuthClients;
let token: string;

beforeAll(async () => {
  auth = await startAuthFixture();
  token = await auth.signInAdmin();
  root = auth.as(token);
});
afterAll(async () => {
  await auth?.[Symbol.asyncDispose]();
});

const stateOf = (store: PolicyStore) => {
  const { epoch, version, digest } = fromBinary(PolicyUpdateSchema, store.toBytes());
  return { epoch, version, digest: Buffer.from(digest).toString("hex") };
};

const grant = (resource: string) => ({
  grant: { subject: "anonymous", resource, level: Level.INFER, effect: Effect.ALLOW },
});

async function database<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(auth.database.url);
  await client.connect();
  return await work(client).finally(() => client.end());
}

/** Follows and never acknowledges, as a process does that was stopped in its sleep. */
async function sleeper(enforcerId: string, from = { epoch: "", version: 0n }) {
  const end = new AbortController();
  const updates: PolicyUpdate[] = [];
  const watching = (async () => {
    const stream = auth.as().policy.watchPolicy({ enforcerId, ...from }, { signal: end.signal });
    for await (const { update } of stream) if (update !== undefined) updates.push(update);
  })().catch(() => {});
  await waitFor(() => updates.length > 0, { what: "the first update" });
  return {
    updates,
    async [Symbol.asyncDispose]() {
      end.abort();
      await watching;
    },
  };
}

describe("a revoked key", () => {
  it("is refused everywhere within a second, and the answer names an enforcer that sleeps", async () => {
    const second = await auth.startProcess();
    const enforcers = [await auth.enforce("a"), await auth.enforce("b"), await auth.enforce("c", second)];
    const { key, secret } = await root.directory.createApiKey({ description: "to be revoked" });
    const credential = { kind: "bearer", text: secret } as const;
    for (const { store } of enforcers) expect(store.policy.authenticate(credential, Date.now()).id).toBe("user:admin");

    const first = await root.directory.revokeApiKey({ id: key?.id ?? "" });
    expect(first.acknowledgement?.missing).toEqual([]);
    const ids = enforcers.map((enforcer) => enforcer.id);
    expect(first.acknowledgement?.acknowledged).toEqual(expect.arrayContaining(ids));
    expect(first.acknowledgement?.acknowledged.filter((id) => id.startsWith("auth/"))).toHaveLength(2);
    for (const { store } of enforcers) {
      expect(() => store.policy.authenticate(credential, Date.now())).toThrowError(/unknown or was revoked/);
    }
    for (const process of [auth.first, second]) {
      await expect(auth.as(secret, process).session.whoAmI({})).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    }

    await using _ = await sleeper("router/asleep");
    const other = await root.directory.createApiKey({ description: "another" });
    const startedAt = performance.now();
    const { acknowledgement } = await root.directory.revokeApiKey({ id: other.key?.id ?? "" });
    expect(acknowledgement?.missing).toEqual(["router/asleep"]);
    expect(acknowledgement?.acknowledged).toEqual(expect.arrayContaining(ids));
    expect(performance.now() - startedAt).toBeLessThan(3000);
    await Promise.all(enforcers.map((enforcer) => enforcer.stop()));
    await second.stop(1000);
  });
});

describe("two auth processes", () => {
  it("agree on every fact while both take changes", async () => {
    const second = await auth.startProcess();
    const here = await auth.enforce("here");
    const there = await auth.enforce("there", second);
    const clients = [root, auth.as(token, second)];
    const changes = Array.from({ length: 20 }, (_, i) => clients[i % 2]?.access.putGrant(grant(`p${i}`)));
    const versions = (await Promise.all(changes)).map((answer) => answer?.acknowledgement?.policyVersion ?? 0n);
    expect(new Set(versions).size).toBe(20);
    const last = versions.sort((a, b) => Number(a - b)).at(-1) ?? 0n;
    const reached = ({ store }: Enforcer) => waitFor(() => store.version >= last, { what: "the last version" });
    await Promise.all([reached(here), reached(there)]);
    expect(stateOf(here.store)).toEqual(stateOf(there.store));
    await Promise.all([here.stop(), there.stop()]);
    await second.stop(1000);
  });
});

describe("an enforcer that comes back", () => {
  it("gets only what changed meanwhile, and everything when it holds nothing", async () => {
    const enforcer = await auth.enforce("away");
    await enforcer.stop();
    const held = { epoch: enforcer.store.epoch, version: enforcer.store.version };
    await root.access.putGrant(grant("meanwhile"));
    await using back = await sleeper("router/back", held);
    expect(back.updates[0]).toMatchObject({ full: false, version: held.version + 1n });
    expect(back.updates[0]?.entries.map((entry) => entry.key)).toEqual([expect.stringMatching(/^grant\//)]);
    enforcer.store.apply(back.updates[0] as PolicyUpdate);
    await using fresh = await sleeper("router/fresh");
    expect(fresh.updates[0]?.full).toBe(true);
    const store = new PolicyStore({ identity: auth.router, clock: systemClock });
    store.apply(fresh.updates[0] as PolicyUpdate);
    expect(stateOf(store).digest).toBe(stateOf(enforcer.store).digest);
  });

  it("starts over in a new epoch when the database was put back to an older backup", async () => {
    const enforcer = await auth.enforce("restored");
    const before = stateOf(enforcer.store);
    await root.access.putGrant(grant("lost-in-the-restore"));
    await waitFor(() => enforcer.store.version > before.version);
    await database(async (client) => {
      await client.query("begin");
      await client.query("delete from auth.access_grant where resource = 'lost-in-the-restore'");
      await client.query("delete from auth.policy_change where version > $1", [before.version.toString()]);
      await client.query("update auth.policy_state set version = $1", [before.version.toString()]);
      await client.query("commit");
      await client.query("notify auth_policy");
    });
    await waitFor(() => enforcer.store.epoch !== before.epoch, { what: "a new epoch" });
    expect(stateOf(enforcer.store)).toMatchObject({ version: before.version, digest: before.digest });
    await root.access.putGrant(grant("after-the-restore"));
    await waitFor(() => enforcer.store.version > before.version);
    await enforcer.stop();
  });
});

describe("a project's age limit", () => {
  it("reaches the enforcers and is taken back", async () => {
    const enforcer = await auth.enforce("strict");
    const minute = Date.now() + 60_000;
    const { store } = enforcer;
    const decide = () =>
      store.policy.decide(store.policy.authenticate(undefined, minute), "model.view", "strict.m", minute);
    expect(decide().allowed).toBe(false);
    const { acknowledgement } = await root.access.putProjectPolicy({ project: "strict", maxSnapshotAgeSeconds: 0n });
    expect(acknowledgement?.acknowledged).toContain(enforcer.id);
    expect(decide).toThrowError(expect.objectContaining({ code: "UNAVAILABLE" }));
    await root.access.putProjectPolicy({ project: "strict" });
    expect(decide().allowed).toBe(false);
    await enforcer.stop();
  });
});

describe("the feed", () => {
  it("takes acknowledgements only in a service's own name", async () => {
    const forged = auth.as().policy.acknowledgePolicy({ enforcerId: "registry/a", version: 1000n });
    await expect(forged).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
