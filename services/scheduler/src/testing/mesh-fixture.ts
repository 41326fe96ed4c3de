import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type PolicyEntry, PolicyEntrySchema, PolicyService } from "@aimass/api/auth";
import { LibraryService, type ServableModel, ServableModelSchema, VersionState } from "@aimass/api/registry";
import { DeploymentService, FleetService } from "@aimass/api/scheduler";
import { type Address, formatAddress, parseAddress, type RunningService, systemClock } from "@aimass/core";
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
import { create } from "@bufbuild/protobuf";
import { startScheduler } from "../app.ts";
import { readSchedulerConfig } from "../config.ts";

const clock = systemClock;

/** Short times, so that a test of a takeover takes a second. */
const timings = {
  AIMASS_SCHEDULER_LEADER_TTL_MS: "900",
  AIMASS_SCHEDULER_LEASE_MS: "1500",
  AIMASS_SCHEDULER_SILENT_MS: "6000",
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
    const child = fork(join(import.meta.dirname, "../main.ts"), {
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

  /** Clients of the two services for people, called by a router for a user. */
  async clients(addresses: readonly Address[], user = "user:admin") {
    const options = { addresses, identity: await this.identity("router"), onBehalfOf: user };
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
    const { models } = this;
    const server = await serveRpc({
      ...(await this.#serverOptions("registry")),
      services: [LibraryService],
      routes: (router) =>
        router.service(LibraryService, {
          listServable: async function* (this: void, { known }) {
            // Without revisions every model counts as changed.
            const removed = Object.keys(known).filter((key) => !models.has(key));
            yield { models: [...models.values()], removed, complete: true };
          },
        }),
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

function principal(id: string, roles: string[]): PolicyEntry {
  const value = { id, groups: [], roles, disabled: false };
  return create(PolicyEntrySchema, { key: policyEntryKey.principal(id), entry: { case: "principal", value } });
}
