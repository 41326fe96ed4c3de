import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect, GrantSchema, Level, type PolicyEntry, PolicyEntrySchema, PolicyService } from "@aimass/api/auth";
import { ModelService } from "@aimass/api/registry";
import { type Address, PushStream, systemClock } from "@aimass/core";
import {
  createApiKey,
  generateMeshIdentity,
  KeyedState,
  PolicyStore,
  policyEntryBytes,
  ServiceIdentity,
  signPolicyUpdate,
} from "@aimass/identity";
import { silentTelemetry } from "@aimass/telemetry";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, describe, expect, it } from "vitest";
import { callerOf, requireVerb } from "./caller.ts";
import { fromConnectError } from "./error-mapping.ts";
import { followPolicy, policyReady } from "./follow-policy.ts";
import { closeServiceClients } from "./grpc-channels.ts";
import { type RpcServer, serveRpc } from "./rpc-server.ts";
import { createServiceClient } from "./service-client.ts";

const { identities, trust } = generateMeshIdentity(["auth", "registry", "router"]);
const identity = (role: string) =>
  new ServiceIdentity(identities.get(role) as NonNullable<ReturnType<typeof identities.get>>, trust, systemClock);
const auth = identity("auth");
const base = { telemetry: silentTelemetry(), clock: systemClock };
const anywhere: Address = { host: "127.0.0.1", port: 0 };
const open: RpcServer[] = [];

/** An auth service in small: sends what it is told to, and keeps what it is asked and told. */
async function serveAuth(listen: Address = anywhere) {
  const updates = new PushStream<ReturnType<typeof signPolicyUpdate>>();
  const asked: bigint[] = [];
  const acknowledged: bigint[] = [];
  const server = await serveRpc({
    ...base,
    name: "auth",
    listen,
    identity: auth,
    services: [PolicyService],
    routes: (router) =>
      router.service(PolicyService, {
        async *watchPolicy({ version }) {
          asked.push(version);
          for await (const update of updates) yield { update };
        },
        acknowledgePolicy: ({ version }) => {
          acknowledged.push(version);
          return {};
        },
      }),
  });
  open.push(server);
  return { server, asked, acknowledged, push: (update: ReturnType<typeof signPolicyUpdate>) => updates.push(update) };
}

const key = createApiKey();
const entries: PolicyEntry[] = [
  create(PolicyEntrySchema, { key: "principal/user:ada", entry: { case: "principal", value: { id: "user:ada" } } }),
  create(PolicyEntrySchema, {
    key: `key/${key.id}`,
    entry: { case: "apiKey", value: { id: key.id, principal: "user:ada", secretSha256: key.secretSha256 } },
  }),
  create(PolicyEntrySchema, {
    key: "grant/1",
    entry: {
      case: "grant",
      value: create(GrantSchema, {
        id: "1",
        subject: "user:ada",
        resource: "default",
        level: Level.VIEW,
        effect: Effect.ALLOW,
        createdAt: timestampFromMs(0),
      }),
    },
  }),
];

function update(version: bigint, full = true, damaged = false) {
  const state = new KeyedState(entries.map((entry) => [entry.key, policyEntryBytes(entry)] as const));
  const digest = damaged ? new Uint8Array(32) : state.digest();
  const head = { epoch: "e", version, digest, issuedAtMs: Date.now(), maxAgeSeconds: 3600n };
  return signPolicyUpdate(auth, head, { full, entries: full ? entries : [], removedKeys: [] });
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await systemClock.sleep(10);
  expect(holds()).toBe(true);
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.drain(0)));
  closeServiceClients();
});

describe("followPolicy()", () => {
  it("applies, acknowledges, survives a restart of auth and a damaged update, and starts from disk without auth", async () => {
    const directory = await mkdtemp(join(tmpdir(), "aimass-test-"));
    const stateFile = join(directory, "policy");
    const stop = new AbortController();
    const first = await serveAuth();
    const follower = (store: PolicyStore, signal: AbortSignal) =>
      followPolicy({
        ...base,
        addresses: [first.server.address],
        identity: identity("registry"),
        enforcerId: "registry/1",
        store,
        stateFile,
        signal,
      });
    const store = new PolicyStore({ identity: identity("registry"), clock: systemClock });
    const following = follower(store, stop.signal);
    first.push(update(3n));
    await policyReady(store, stop.signal);
    await until(() => first.acknowledged.includes(3n));
    await first.server.drain(0);
    const second = await serveAuth(first.server.address);
    await until(() => second.asked.length > 0);
    expect(second.asked).toEqual([3n]);
    second.push(update(4n, false, true));
    await until(() => second.asked.length > 1);
    expect(second.asked[1]).toBe(0n);
    second.push(update(5n));
    await until(() => store.version === 5n);
    stop.abort();
    await following;
    await second.server.drain(0);

    const restarted = new PolicyStore({ identity: identity("registry"), clock: systemClock });
    const stopAgain = new AbortController();
    const again = follower(restarted, stopAgain.signal);
    await policyReady(restarted, AbortSignal.timeout(2000));
    expect(restarted.version).toBe(5n);
    stopAgain.abort();
    await again;
    await rm(directory, { recursive: true });
  });
});

describe("a user's credential", () => {
  it("decides who calls and what is allowed, and one that does not hold is refused", async () => {
    const policy = new PolicyStore({ identity: identity("registry"), clock: systemClock });
    policy.apply(update(1n));
    const server = await serveRpc({
      ...base,
      name: "registry",
      listen: anywhere,
      identity: identity("registry"),
      policy,
      services: [ModelService],
      publicMethods: (method) => method.name === "ListModels",
      routes: (router) =>
        router.service(ModelService, {
          getModel: (_, context) => {
            requireVerb(context, policy, "model.view", "default.fraud", systemClock);
            return { model: { createdBy: callerOf(context).principal.id } };
          },
          deleteModel: (_, context) => {
            requireVerb(context, policy, "model.delete", "default.fraud", systemClock);
            return {};
          },
          retireVersion: (_, context) => {
            const options = { hidden: true, notFound: "There is no model secret.fraud." } as const;
            requireVerb(context, policy, "version.retire", "secret.fraud", systemClock, options);
            return {};
          },
          listModels: (_, context) => ({ models: [{ createdBy: callerOf(context).principal.id }] }),
        }),
    });
    open.push(server);
    const client = createServiceClient(ModelService, { addresses: [server.address], identity: identity("router") });
    const ada = { headers: { authorization: `Bearer ${key.text}` } };
    const forged = { headers: { "x-api-key": createApiKey().text } };
    const code = (call: Promise<unknown>) =>
      call.then(
        () => "OK",
        (error) => fromConnectError(error).code,
      );
    expect((await client.getModel({}, ada)).model?.createdBy).toBe("user:ada");
    expect(await code(client.deleteModel({}, ada))).toBe("PERMISSION_DENIED");
    expect(await code(client.retireVersion({}, ada))).toBe("NOT_FOUND");
    expect(await code(client.getModel({}))).toBe("UNAUTHENTICATED");
    expect(await code(client.getModel({}, forged))).toBe("UNAUTHENTICATED");
    expect((await client.listModels({}, forged)).models[0]?.createdBy).toBe("anonymous");
    const asserted = { headers: { "aimass-principal": "user:nobody" } };
    expect(await code(client.getModel({}, asserted))).toBe("UNAUTHENTICATED");
  });
});
