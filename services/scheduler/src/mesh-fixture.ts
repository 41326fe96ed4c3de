import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type PolicyEntry, PolicyEntrySchema, PolicyService } from "@aimass/api/auth";
import { LibraryService, type ServableModel, ServableModelSchema, VersionState } from "@aimass/api/registry";
import {
  type Assignment,
  type DedicatedReplica,
  DeploymentService,
  FleetService,
  LoadState,
  type ReplicaExit,
  ReplicaService,
  RouteEntrySchema,
  RouteService,
} from "@aimass/api/scheduler";
import { type Address, formatAddress, PushStream, parseAddress, type RunningService, systemClock } from "@aimass/core";
import {
  createMeshIdentity,
  KeyedState,
  policyEntryBytes,
  policyEntryKey,
  ServiceIdentity,
  signPolicyUpdate,
} from "@aimass/identity";
import { createServiceClient, serveRpc } from "@aimass/rpc";
import { silentTelemetry } from "@aimass/telemetry";
import { create, fromBinary } from "@bufbuild/protobuf";
import { startScheduler } from "./app.ts";
import { readSchedulerConfig } from "./config.ts";
import { routeEntryBytes } from "./routes/route-log.ts";

const clock = systemClock;

/** Short times, so that a test of a takeover takes a second. */
const timings = {
  AIMASS_SCHEDULER_LEADER_TTL_MS: "900",
  AIMASS_SCHEDULER_LEASE_MS: "1500",
  AIMASS_SCHEDULER_DETACH_MS: "300",
  AIMASS_SCHEDULER_DRAIN_MS: "300",
  AIMASS_SCHEDULER_TICK_MS: "100",
  AIMASS_SCHEDULER_LIBRARY_MS: "100",
  AIMASS_SCHEDULER_HEARTBEAT_MS: "200",
};

/** A scheduler's surroundings for tests: a database, identities, a library and a policy that are served over real RPC. */
export class MeshFixture implements AsyncDisposable {
  readonly models = new Map<string, ServableModel>();
  readonly #stack = new AsyncDisposableStack();
  readonly #kept = new AsyncDisposableStack();
  readonly #directory: string;
  readonly #databaseUrl: string;
  #policyServer: Address = { host: "", port: 0 };
  #libraryServer: Address = { host: "", port: 0 };

  private constructor(directory: string, databaseUrl: string) {
    this.#directory = directory;
    this.#databaseUrl = databaseUrl;
  }

  get databaseUrl(): string {
    return this.#databaseUrl;
  }

  /** Keeps its keys in `directory`. */
  static async start(options: { databaseUrl: string; directory: string }): Promise<MeshFixture> {
    const mesh = new MeshFixture(options.directory, options.databaseUrl);
    await createMeshIdentity(options.directory, ["auth", "registry", "scheduler", "inference", "router", "console"]);
    await mesh.#serveLibrary();
    await mesh.#servePolicy();
    return mesh;
  }

  /** Released after the mesh. */
  keep(resource: AsyncDisposable): void {
    this.#kept.use(resource);
  }

  identity(role: string): Promise<ServiceIdentity> {
    const file = join(this.#directory, `${role}.identity.json`);
    return ServiceIdentity.load(file, join(this.#directory, "trust.json"), clock);
  }

  /** What the library says of a model from now on. */
  publish(key: string, aliases: Record<string, number>, versions: readonly number[]): void {
    const [project = "", name = ""] = key.split(".");
    const model = create(ServableModelSchema, {
      project,
      name,
      aliases: Object.entries(aliases).map(([alias, version]) => ({ name: alias, version: BigInt(version) })),
      versions: versions.map((version) => ({
        project,
        model: name,
        version: BigInt(version),
        state: VersionState.READY,
        signature: { memoryBytes: 1_000_000n },
      })),
    });
    this.models.set(key, model);
  }

  environment(): Record<string, string> {
    return {
      ...timings,
      AIMASS_DATABASE_URL: this.#databaseUrl,
      AIMASS_IDENTITY_FILE: join(this.#directory, "scheduler.identity.json"),
      AIMASS_TRUST_FILE: join(this.#directory, "trust.json"),
      AIMASS_AUTH_ADDRESSES: formatAddress(this.#policyServer),
      AIMASS_REGISTRY_ADDRESSES: formatAddress(this.#libraryServer),
      LOG: "error",
    };
  }

  /** A scheduler in this process. */
  async scheduler(changes: Record<string, string> = {}): Promise<RunningService & { rpc: Address }> {
    const service = await startScheduler(readSchedulerConfig({ ...this.environment(), ...changes }));
    return { ...service, rpc: parseAddress(service.addresses.rpc as string) as Address };
  }

  /** A scheduler in a process of its own, to be killed. */
  async schedulerProcess(): Promise<{ rpc: Address; child: ChildProcess; kill(): Promise<void> }> {
    const child = fork(join(import.meta.dirname, "main.ts"), {
      env: { PATH: process.env.PATH, ...this.environment() },
      execArgv: [],
    });
    const [message] = (await once(child, "message")) as [{ ready: { rpc: string } }];
    const kill = async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    };
    this.#stack.defer(kill);
    return { rpc: parseAddress(message.ready.rpc) as Address, child, kill };
  }

  /** Clients of the two services for people, called by the console for a user. */
  async clients(addresses: readonly Address[], user = "user:admin") {
    const options = { addresses, identity: await this.identity("console"), onBehalfOf: user };
    return {
      deployments: createServiceClient(DeploymentService, options),
      fleet: createServiceClient(FleetService, options),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    await this.#kept.disposeAsync();
  }

  async #serveLibrary(): Promise<void> {
    const server = await serveRpc({
      ...(await this.#serverOptions("registry")),
      services: [LibraryService],
      routes: (router) =>
        router.service(LibraryService, { listServable: () => ({ models: [...this.models.values()] }) }),
    });
    this.#stack.defer(() => server.drain(0));
    this.#libraryServer = server.address;
  }

  async #servePolicy(): Promise<void> {
    const auth = await this.identity("auth");
    const entries = [principal("user:admin", ["admin"]), principal("user:ada", [])];
    const digest = new KeyedState(entries.map((entry) => [entry.key, policyEntryBytes(entry)] as const)).digest();
    const head = { epoch: "test", version: 1n, digest, issuedAtMs: clock.now(), maxAgeSeconds: 86_400n };
    const update = signPolicyUpdate(auth, head, { full: true, entries, removedKeys: [] });
    const server = await serveRpc({
      ...(await this.#serverOptions("auth")),
      services: [PolicyService],
      routes: (router) =>
        router.service(PolicyService, {
          async *watchPolicy(_request, context) {
            yield { update };
            await clock.sleep(2 ** 30, context.signal).catch(() => {});
          },
          acknowledgePolicy: () => ({}),
        }),
    });
    this.#stack.defer(() => server.drain(0));
    this.#policyServer = server.address;
  }

  async #serverOptions(role: string) {
    const listen = { host: "127.0.0.1", port: 0 };
    return { name: role, listen, identity: await this.identity(role), telemetry: silentTelemetry(), clock };
  }
}

export interface TestReplicaOptions {
  readonly incarnation?: string;
  readonly dedicatedTo?: string;
  readonly exits?: readonly ReplicaExit[];
}

interface TestReport {
  readonly replica: ReturnType<TestReplica["report"]>;
  readonly exits: ReplicaExit[];
}

/** A replica that follows its assignments: says LOADING, then READY, for each. */
export class TestReplica {
  readonly id: string;
  readonly incarnation: string;
  assigned: readonly Assignment[] = [];
  /** Versions it cannot load. */
  readonly broken = new Set<number>();
  readonly dedicatedTo: string;
  /** How its last processes ended; told with every report. */
  readonly exits: readonly ReplicaExit[];
  draining = false;
  #end = new AbortController();
  #reports: PushStream<TestReport> | undefined;
  #held = new Map<string, { model: string; project: string; version: bigint; state: LoadState; reason: string }>();
  #running: Promise<void> | undefined;

  constructor(id: string, options: TestReplicaOptions = {}) {
    this.id = id;
    this.exits = options.exits ?? [];
    this.incarnation = options.incarnation ?? "1";
    this.dedicatedTo = options.dedicatedTo ?? "";
  }

  /** Attaches, and attaches again whenever the stream breaks. */
  start(addresses: readonly Address[], identity: ServiceIdentity): this {
    const client = createServiceClient(ReplicaService, { addresses, identity });
    const { signal } = this.#end;
    this.#running = (async () => {
      while (!signal.aborted) {
        const reports = new PushStream<TestReport>();
        this.#reports = reports;
        const onAbort = () => reports.end();
        signal.addEventListener("abort", onAbort, { once: true });
        this.send();
        const beat = setInterval(() => this.send(), 200);
        try {
          for await (const { assignments } of client.attachReplica(reports, { signal })) this.#obey(assignments);
        } catch {
          await clock.sleep(50, signal).catch(() => {});
        } finally {
          clearInterval(beat);
        }
      }
    })();
    return this;
  }

  holds(model: string): number[] {
    return [...this.#held.values()].filter((held) => held.model === model).map((held) => Number(held.version));
  }

  send(): void {
    this.#reports?.push({ replica: this.report(), exits: [...this.exits] });
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  report() {
    const [node = "", device = "cpu-0"] = this.id.split("/");
    return {
      id: this.id,
      node,
      device: { id: device, kind: device.split("-")[0] ?? "cpu", selector: "0-1" },
      address: `127.0.0.1:${1000 + this.id.length}`,
      incarnation: this.incarnation,
      dedicatedTo: this.dedicatedTo,
      draining: this.draining,
      memoryBytesUsed: 100_000_000n,
      memoryBytesLimit: 1_000_000_000n,
      loaded: [...this.#held.values()].map((held) => ({
        ...held,
        parityDigest: new Uint8Array([1, Number(held.version)]),
      })),
    };
  }

  #obey(assignments: readonly Assignment[]): void {
    this.assigned = assignments;
    const wanted = new Map(
      assignments.map(({ version }) => [`${version?.project}.${version?.model}@${version?.version}`, version]),
    );
    for (const name of this.#held.keys()) if (!wanted.has(name)) this.#held.delete(name);
    for (const [name, version] of wanted) {
      if (version === undefined || this.#held.has(name)) continue;
      const { project, model } = version;
      this.#held.set(name, { project, model, version: version.version, state: LoadState.LOADING, reason: "" });
    }
    this.send();
    setTimeout(() => this.#finishLoading(), 10);
  }

  #finishLoading(): void {
    for (const held of this.#held.values()) {
      const isBroken = this.broken.has(Number(held.version));
      held.state = isBroken ? LoadState.FAILED : LoadState.READY;
      held.reason = isBroken ? "no such operator" : "";
    }
    this.send();
  }
}

/** An agent that reports its machine and notes which dedicated replicas it should keep. */
export class TestAgent {
  readonly node: string;
  dedicated: readonly DedicatedReplica[] | undefined;
  readonly #reports = new PushStream<{ node: string; devices: { id: string; kind: string }[]; exits: ReplicaExit[] }>();
  readonly #end = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(node: string) {
    this.node = node;
  }

  start(addresses: readonly Address[], identity: ServiceIdentity): this {
    const client = createServiceClient(ReplicaService, { addresses, identity });
    this.tell([]);
    this.#running = (async () => {
      for await (const answer of client.announceNode(this.#reports, { signal: this.#end.signal })) {
        this.dedicated = answer.dedicated;
      }
    })().catch(() => {});
    return this;
  }

  tell(exits: ReplicaExit[]): void {
    this.#reports.push({ node: this.node, devices: [{ id: "cpu-0", kind: "cpu" }], exits });
  }

  async stop(): Promise<void> {
    this.#reports.end();
    this.#end.abort();
    await this.#running;
  }
}

/** A router that follows the routes and checks every step's digest. */
export class TestRouter {
  readonly state = new KeyedState();
  /** Every update, in order, as "full" or "delta" with its version. */
  readonly steps: { epoch: string; version: bigint; full: boolean; at: number }[] = [];
  badDigests = 0;
  epoch = "";
  version = 0n;
  readonly #end = new AbortController();
  #running: Promise<void> = Promise.resolve();

  start(addresses: readonly Address[], identity: ServiceIdentity): this {
    const client = createServiceClient(RouteService, { addresses, identity });
    const { signal } = this.#end;
    this.#running = (async () => {
      while (!signal.aborted) {
        try {
          const held = { routerId: "test", epoch: this.epoch, version: this.version };
          for await (const { update } of client.watchRoutes(held, { signal })) {
            if (update === undefined) continue;
            if (update.full) for (const key of [...this.state.keys()]) this.state.delete(key);
            for (const key of update.removedKeys) this.state.delete(key);
            for (const entry of update.entries) this.state.set(entry.key, routeEntryBytes(entry));
            if (!Buffer.from(this.state.digest()).equals(update.digest)) this.badDigests += 1;
            this.epoch = update.epoch;
            this.version = update.version;
            this.steps.push({ epoch: update.epoch, version: update.version, full: update.full, at: clock.monotonic() });
          }
        } catch {
          await clock.sleep(50, signal).catch(() => {});
        }
      }
    })();
    return this;
  }

  /** Versions to replicas, and aliases to versions, of a model. */
  model(key: string): {
    versions: Record<number, readonly string[]>;
    aliases: Record<string, number>;
    reasons: string[];
  } {
    const bytes = this.state.get(`model/${key}`);
    const entry = bytes && fromBinary(RouteEntrySchema, bytes).entry;
    if (entry?.case !== "model") return { versions: {}, aliases: {}, reasons: [] };
    const { versions, aliases } = entry.value;
    return {
      versions: Object.fromEntries(versions.map((v) => [Number(v.version), v.replicaIds])),
      aliases: Object.fromEntries(aliases.map((a) => [a.alias, Number(a.targets[0]?.version)])),
      reasons: versions.map((v) => v.unavailableReason).filter((reason) => reason !== ""),
    };
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }
}

function principal(id: string, roles: string[]): PolicyEntry {
  const value = { id, groups: [], roles, disabled: false };
  return create(PolicyEntrySchema, { key: policyEntryKey.principal(id), entry: { case: "principal", value } });
}
