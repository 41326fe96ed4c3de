import { createHash } from "node:crypto";
import { join } from "node:path";
import { Effect, GrantSchema, Level, type PolicyEntry, PolicyEntrySchema } from "@aimass/api/auth";
import {
  AliasService,
  ArtifactService,
  type ColumnMeaning,
  DatasetService,
  LibraryService,
  type ListServableResponse,
  ModelService,
  ProjectService,
  type ServableModel,
} from "@aimass/api/registry";
import { type Address, type Clock, parseAddress, type RunningService, systemClock } from "@aimass/core";
import {
  createMeshIdentity,
  KeyedState,
  PolicyStore,
  policyEntryBytes,
  policyEntryKey,
  ServiceIdentity,
  signPolicyUpdate,
} from "@aimass/identity";
import { createServiceClient } from "@aimass/rpc";
import { silentTelemetry } from "@aimass/telemetry";
import { createTestDatabase, tempDirectory } from "@aimass/testkit";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { startRegistry } from "../app.ts";
import { readRegistryConfig } from "../config.ts";

/** A grant as tests write it: "user:ada" may edit "default". */
export type TestGrant = Omit<MessageInitShape<typeof GrantSchema>, "$typeName" | "id">;

/** The registry's APIs as one caller sees them. */
export interface Clients {
  readonly projects: Client<typeof ProjectService>;
  readonly models: Client<typeof ModelService>;
  readonly aliases: Client<typeof AliasService>;
  readonly artifacts: Client<typeof ArtifactService>;
  readonly datasets: Client<typeof DatasetService>;
  readonly library: Client<typeof LibraryService>;
}

/** A real registry over a real database, with a policy that the test writes. */
export interface TestRegistry extends AsyncDisposable {
  readonly databaseUrl: string;
  /** Of its RPC listener. */
  readonly address: string;
  readonly directory: string;
  readonly policy: PolicyStore;
  /** A person or program whose call a router passed on. */
  as(principal: string): Clients;
  identity(role: string): ServiceIdentity;
  /** A service in its own name, or acting for someone. */
  service(role: string, onBehalfOf?: string): Clients;
  /** Replaces all grants. */
  grant(grants: readonly TestGrant[]): void;
  /** Ends the process's part and starts another one over the same database and files. */
  restart(): Promise<void>;
}

const roles = ["auth", "registry", "trainer", "scheduler", "inference", "router"];
const people = ["ada", "bob", "eve", "root"];

export async function startTestRegistry(options: {
  readonly grants: readonly TestGrant[];
  readonly clock?: Clock;
  readonly env?: Readonly<Record<string, string>>;
}): Promise<TestRegistry> {
  const clock = options.clock ?? systemClock;
  await using cleanup = new AsyncDisposableStack();
  const database = cleanup.use(await createTestDatabase());
  const directory = cleanup.use(await tempDirectory()).path;
  await createMeshIdentity(directory, roles);
  const identities = new Map<string, ServiceIdentity>();
  for (const role of roles) {
    const files = [join(directory, `${role}.identity.json`), join(directory, "trust.json")] as const;
    identities.set(role, await ServiceIdentity.load(...files, clock));
  }
  const identity = (role: string) => identities.get(role) as ServiceIdentity;
  const writer = new PolicyWriter(identity("auth"), clock);
  const policy = new PolicyStore({ identity: identity("registry"), clock });
  policy.apply(writer.write(options.grants));
  const config = readRegistryConfig({ ...testVariables(directory, database.url), ...options.env });
  const start = () => startRegistry(config, {}, { clock, policy, telemetry: silentTelemetry() });
  let running: RunningService = await start();
  cleanup.defer(() => running.stop(0));
  const kept = cleanup.move();
  const address = () => parseAddress(running.addresses.rpc as string) as Address;
  return {
    databaseUrl: database.url,
    get address() {
      return running.addresses.rpc as string;
    },
    directory,
    policy,
    as: (principal) => clientsOf(address(), identity("router"), principal),
    identity,
    service: (role, onBehalfOf) => clientsOf(address(), identity(role), onBehalfOf),
    grant: (grants) => policy.apply(writer.write(grants)),
    async restart() {
      await running.stop(1000);
      running = await start();
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Uploads bytes in chunks and returns their digest. */
export async function upload(clients: Clients, bytes: Uint8Array, project = "", chunkBytes = 1 << 20) {
  const sha256 = createHash("sha256").update(bytes).digest();
  const started = await clients.artifacts.startUpload({ sha256, sizeBytes: BigInt(bytes.length), project });
  if (!started.complete) {
    await clients.artifacts.writeUpload(chunksOf(bytes, started.uploadId, Number(started.receivedBytes), chunkBytes));
  }
  return sha256;
}

export async function* chunksOf(bytes: Uint8Array, uploadId: string, from = 0, chunkBytes = 1 << 20) {
  for (let at = from; at < bytes.length; at += chunkBytes) {
    yield { uploadId, offset: BigInt(at), chunk: bytes.subarray(at, at + chunkBytes) };
  }
}

/** Uploads a bundle and makes a version of it. */
export async function push(
  clients: Clients,
  model: string,
  files: Readonly<Record<string, Uint8Array>>,
  more: Partial<{
    project: string;
    idempotencyKey: string;
    description: string;
    metrics: Record<string, number>;
    columns: Record<string, ColumnMeaning>;
  }> = {},
) {
  const listed = [];
  for (const [path, bytes] of Object.entries(files)) {
    listed.push({ path, sha256: await upload(clients, bytes, more.project ?? "") });
  }
  const request = { model, files: listed, ...more };
  const { version } = await clients.models.createVersion(request, { timeoutMs: 60_000 });
  if (version === undefined) throw new Error("no version came back");
  return version;
}

/** The library as a service of the mesh reads it: what changed of what it holds. */
export async function listServable(clients: Clients, known: Record<string, string> = {}) {
  const models: ServableModel[] = [];
  let last: ListServableResponse | undefined;
  for await (const message of clients.library.listServable({ known })) {
    models.push(...message.models);
    last = message;
  }
  if (last?.complete !== true) throw new Error("the library was cut off");
  return { models, removed: last.removed };
}

class PolicyWriter {
  readonly #auth: ServiceIdentity;
  readonly #clock: Clock;
  #version = 0n;

  constructor(auth: ServiceIdentity, clock: Clock) {
    this.#auth = auth;
    this.#clock = clock;
  }

  write(grants: readonly TestGrant[]) {
    this.#version += 1n;
    const entries = [...people.map(principalEntry), ...grants.map(grantEntry)];
    const digest = new KeyedState(entries.map((entry) => [entry.key, policyEntryBytes(entry)] as const)).digest();
    const head = {
      epoch: "test",
      version: this.#version,
      issuedAtMs: this.#clock.now(),
      maxAgeSeconds: 86_400n,
      digest,
    };
    return signPolicyUpdate(this.#auth, head, { full: true, entries, removedKeys: [] });
  }
}

function principalEntry(name: string): PolicyEntry {
  const id = `user:${name}`;
  const value = { id, groups: [], roles: name === "root" ? ["admin"] : [], disabled: false };
  return create(PolicyEntrySchema, { key: policyEntryKey.principal(id), entry: { case: "principal", value } });
}

function grantEntry(grant: TestGrant, index: number): PolicyEntry {
  const value = create(GrantSchema, { id: `g${index}`, level: Level.VIEW, effect: Effect.ALLOW, ...grant });
  return create(PolicyEntrySchema, { key: policyEntryKey.grant(value.id), entry: { case: "grant", value } });
}

/** The variables of a registry whose files lie in a directory. */
export function testVariables(directory: string, databaseUrl: string): Record<string, string> {
  return {
    AIMASS_IDENTITY_FILE: join(directory, "registry.identity.json"),
    AIMASS_TRUST_FILE: join(directory, "trust.json"),
    AIMASS_STATE_DIR: join(directory, "state"),
    AIMASS_DATABASE_URL: databaseUrl,
    AIMASS_AUTH_ADDRESSES: "127.0.0.1:1",
  };
}

/** The registry's APIs as a service of the mesh calls them, for itself or for someone. */
export function clientsOf(address: Address, identity: ServiceIdentity, onBehalfOf: string | undefined): Clients {
  const options = { addresses: [address], identity, ...(onBehalfOf === undefined ? {} : { onBehalfOf }) };
  return {
    projects: createServiceClient(ProjectService, options),
    models: createServiceClient(ModelService, options),
    aliases: createServiceClient(AliasService, options),
    artifacts: createServiceClient(ArtifactService, options),
    datasets: createServiceClient(DatasetService, options),
    library: createServiceClient(LibraryService, options),
  };
}
