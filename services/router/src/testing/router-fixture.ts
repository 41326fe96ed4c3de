import { Effect, Level, type PolicyEntry, PolicyEntrySchema, type PolicyUpdate } from "@aimass/api/auth";
import { type RouteEntry, RouteEntrySchema, RouteUpdateSchema } from "@aimass/api/scheduler";
import { type Clock, systemClock } from "@aimass/core";
import { listen, Upstream } from "@aimass/h2";
import {
  generateMeshIdentity,
  keyedDigest,
  PolicyStore,
  policyEntryBytes,
  ServiceIdentity,
  signPolicyUpdate,
} from "@aimass/identity";
import { encodeInferRequest } from "@aimass/oip";
import { silentTelemetry, type Telemetry } from "@aimass/telemetry";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { readRouterConfig } from "../config.ts";
import { createDataPlane, type DataPlane } from "../data-plane.ts";
import { RouteTable } from "../routes/route-table.ts";

type RouteInit = MessageInitShape<typeof RouteEntrySchema>;

/** A router in this process, over real sockets, whose routes and policy a test writes. */
export interface TestRouter extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly plane: DataPlane;
  readonly table: RouteTable;
  readonly telemetry: Telemetry;
  readonly identity: ServiceIdentity;
  readonly auth: ServiceIdentity;
  /** A client that is connected. */
  readonly client: Upstream;
  /** Replaces the routes. */
  route(entries: readonly RouteInit[]): void;
  /** Replaces the grants: "anonymous" gets infer on everything unless told otherwise. */
  grant(entries: readonly PolicyEntry[]): void;
  drain(graceMs: number): Promise<void>;
}

/** The identities of a mesh of its own; the auth service's by a clock of its own, if it has one. */
export function testIdentities(authClock: Clock = systemClock): Pick<TestRouter, "identity" | "auth"> {
  const { identities, trust } = generateMeshIdentity(["auth", "router", "registry"]);
  const identityOf = (role: string, clock: Clock) => new ServiceIdentity(identities.get(role) as never, trust, clock);
  return { auth: identityOf("auth", authClock), identity: identityOf("router", systemClock) };
}

/** Starts a router with `env` on top of the defaults. */
export async function startTestRouter(
  env: Record<string, string> = {},
  { identity, auth } = testIdentities(),
): Promise<TestRouter> {
  const policy = new PolicyStore({ identity, clock: systemClock });
  const table = new RouteTable(systemClock);
  const telemetry = silentTelemetry();
  const config = readRouterConfig({
    AIMASS_IDENTITY_FILE: "unused",
    AIMASS_TRUST_FILE: "unused",
    AIMASS_AUTH_ADDRESSES: "127.0.0.1:1",
    AIMASS_SCHEDULER_ADDRESSES: "127.0.0.1:1",
    ...env,
  });
  const plane = createDataPlane({ config, policy, table, identity, clock: systemClock, telemetry, version: "0.0.0" });
  const listener = await listen({
    listen: { host: "127.0.0.1", port: 0 },
    idle: plane.idle,
    handler: plane.door.handle,
  });
  const client = new Upstream({ address: listener.address, clock: systemClock });
  while (client.state !== "ready") await systemClock.sleep(2);
  let policyVersion = 0n;
  let routeVersion = 0n;
  const router: TestRouter = {
    port: listener.address.port,
    url: `http://127.0.0.1:${listener.address.port}`,
    plane,
    table,
    telemetry,
    identity,
    auth,
    client,
    route(entries) {
      routeVersion += 1n;
      table.apply(routeUpdate(entries, routeVersion));
    },
    grant(entries) {
      policyVersion += 1n;
      policy.apply(signedPolicy(auth, entries, policyVersion));
    },
    drain: (graceMs) => listener.drain(graceMs),
    async [Symbol.asyncDispose]() {
      client.close();
      await listener.drain(0);
      plane[Symbol.dispose]();
    },
  };
  router.grant([inferGrant("anonymous", "*")]);
  return router;
}

/** A full policy, signed by the auth service. */
export function signedPolicy(auth: ServiceIdentity, entries: readonly PolicyEntry[], version: bigint): PolicyUpdate {
  const digest = keyedDigest(entries.map((e) => [e.key, policyEntryBytes(e)] as const));
  const head = { epoch: "test", version, digest, issuedAtMs: Date.now(), maxAgeSeconds: 86_400n };
  return signPolicyUpdate(auth, head, { full: true, entries: [...entries], removedKeys: [] });
}

/** A full update of the routes. */
export function routeUpdate(entries: readonly RouteInit[], version: bigint, epoch = "test") {
  const made = entries.map((entry) => create(RouteEntrySchema, entry));
  return create(RouteUpdateSchema, {
    epoch,
    version,
    full: true,
    entries: made,
    digest: routeDigest(made),
    issuedAt: timestampFromMs(Date.now()),
  });
}

export function routeDigest(entries: readonly RouteEntry[]): Uint8Array {
  return keyedDigest(entries.map((e) => [e.key, toBinary(RouteEntrySchema, e)] as const));
}

export function replicaEntry(
  id: string,
  address: string,
  { draining = false, incarnation = "1" }: { draining?: boolean; incarnation?: string } = {},
): RouteInit {
  return { key: `replica/${id}`, entry: { case: "replica", value: { id, address, incarnation, draining } } };
}

/** What a model's routes say beside who holds its versions. */
interface ModelEntryFacts {
  readonly unavailableReason?: string;
  /** Versions kept for a rollback, with the aliases they served. */
  readonly warm?: Readonly<Record<string, readonly string[]>>;
}

/** "m" or "project.m", its versions with the replicas that hold them, its aliases with their targets' shares. */
export function modelEntry(
  name: string,
  versions: Readonly<Record<string, readonly string[]>>,
  aliases: Readonly<Record<string, Readonly<Record<string, number>>>> = {},
  { unavailableReason = "", warm = {} }: ModelEntryFacts = {},
): RouteInit {
  const [project, model] = name.includes(".") ? (name.split(".") as [string, string]) : ["default", name];
  return {
    key: `model/${project}.${model}`,
    entry: {
      case: "model",
      value: {
        project,
        name: model,
        versions: Object.entries(versions).map(([version, ids]) => ({
          version: BigInt(version),
          replicaIds: [...ids],
          unavailableReason,
          warm: warm[version] !== undefined,
          aliases: [...(warm[version] ?? [])],
        })),
        aliases: Object.entries(aliases).map(([alias, shares]) => ({
          alias,
          targets: Object.entries(shares).map(([version, share]) => ({ version: BigInt(version), share })),
        })),
      },
    },
  };
}

export function inferGrant(subject: string, resource: string, level = Level.INFER): PolicyEntry {
  const id = `${subject}-${resource}`;
  return create(PolicyEntrySchema, {
    key: `grant/${id}`,
    entry: { case: "grant", value: { id, subject, resource, level, effect: Effect.ALLOW } },
  });
}

/** A deny of everything up to running a model. */
export function denyGrant(subject: string, resource: string): PolicyEntry {
  const id = `deny-${subject}-${resource}`;
  return create(PolicyEntrySchema, {
    key: `grant/${id}`,
    entry: { case: "grant", value: { id, subject, resource, level: Level.INFER, effect: Effect.DENY } },
  });
}

export function userEntry(name: string): PolicyEntry {
  return create(PolicyEntrySchema, {
    key: `principal/user:${name}`,
    entry: { case: "principal", value: { id: `user:${name}` } },
  });
}

export function keyEntry(id: string, secretSha256: Uint8Array, principal: string): PolicyEntry {
  return create(PolicyEntrySchema, {
    key: `key/${id}`,
    entry: { case: "apiKey", value: { id, secretSha256, principal } },
  });
}

/** A framed ModelInferRequest of one small tensor. */
export function inferBody(
  model: string,
  options: { version?: string; bytes?: number; id?: string; sequence?: boolean } = {},
): Buffer {
  const bytes = new Uint8Array(options.bytes ?? 16);
  return encodeInferRequest(
    {
      modelName: model,
      modelVersion: options.version ?? "",
      id: options.id ?? "",
      parameters: new Map(options.sequence ? [["sequence_id", { kind: "int64", value: 7n }]] : []),
      inputs:
        bytes.length === 0
          ? []
          : [{ name: "x", datatype: "UINT8", shape: [bytes.length], bytes, parameters: new Map() }],
      outputs: [],
    },
    { framed: true },
  );
}

/** Sends a ModelInfer by gRPC and returns its status and message. */
export async function infer(
  client: Upstream,
  body: Buffer,
  headers: Record<string, string> = {},
): Promise<{ status: number; message: string; body: Buffer; trailers: Readonly<Record<string, string>> }> {
  const result = await client.unary({
    path: "/inference.GRPCInferenceService/ModelInfer",
    headers: { "content-type": "application/grpc", te: "trailers", ...headers },
    body,
    timeoutMs: 20_000,
  });
  const trailers = { ...result.headers, ...result.trailers };
  return {
    status: Number(trailers["grpc-status"]),
    message: decodeURIComponent(trailers["grpc-message"] ?? ""),
    body: result.body,
    trailers,
  };
}
