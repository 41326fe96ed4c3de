import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { AimassError, type Clock, deadlineSignal, freePort, isFree, systemClock } from "@aimass/core";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@aimass/embedded";
import { type DataDirectory, dataPath, openDataDirectory } from "./data-directory.ts";
import { LogFile } from "./log-file.ts";
import { assertFree } from "./ports.ts";
import { processSpecs } from "./process-specs.ts";
import { type DatabaseUrls, makeDatabaseUrls, ownDatabaseUrls, prepareDatabase } from "./service-databases.ts";
import { type ProcessSpec, SupervisedProcess } from "./supervised-process.ts";

/** How an embedded mesh is started. */
export interface MeshOptions {
  /** Where everything is kept. */
  readonly data: string;
  /** Address the router listens on. Default 127.0.0.1. */
  readonly host?: string;
  /** The router's port. Default 5000; 0 takes a free one. */
  readonly port?: number;
  /** Also listen where Triton's clients expect it, 8000 and 8001, when these are free. Default true. */
  readonly tritonPorts?: boolean;
  /** Replica processes, one for each CPU set, unless AIMASS_DEVICES says otherwise. Default 2. */
  readonly replicas?: number;
  /** Router processes, each on a port of its own from `port` on. Default 1. */
  readonly routers?: number;
  /** Scheduler processes; one leads. Default 1. */
  readonly schedulers?: number;
  /** Further variables for every process, for instance LOG, NATS_URL, AIMASS_DATABASE_URL. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Keep nothing safe against a power cut; for tests. */
  readonly durable?: boolean;
  readonly clock?: Clock;
  /** Told as things come up, die and come back: one line each. */
  readonly onProgress?: (event: MeshEvent) => void;
  readonly signal?: AbortSignal;
}

/** What happens in a mesh, for whoever narrates it. */
export type MeshEvent =
  | { readonly kind: "ready"; readonly part: string; readonly afterMs: number }
  | { readonly kind: "restarting"; readonly part: string; readonly reason: string }
  | { readonly kind: "warning"; readonly message: string };

/** Longest wait for the whole mesh to be ready. */
const startTimeoutMs = 60_000;
/** A whole mesh on this machine: every service a real process, supervised. */
export class Mesh {
  readonly data: DataDirectory;
  readonly routerPorts: readonly number[];
  readonly host: string;
  readonly #processes = new Map<string, SupervisedProcess>();
  readonly #clock: Clock;
  readonly #options: MeshOptions;
  #listeners: readonly string[] = [];
  #postgres: EmbeddedPostgres | undefined;
  #stopping = false;

  private constructor(options: MeshOptions, data: DataDirectory, routerPorts: readonly number[]) {
    this.data = data;
    this.routerPorts = routerPorts;
    this.host = options.host ?? "127.0.0.1";
    this.#clock = options.clock ?? systemClock;
    this.#options = options;
  }

  /** Starts everything and returns when the router is ready to serve. Errors: FAILED_PRECONDITION, RESOURCE_EXHAUSTED (disk full) with a remedy. */
  static async start(options: MeshOptions): Promise<Mesh> {
    try {
      return await Mesh.#start(options);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw code === "ENOSPC" || code === "EDQUOT" ? diskFull(dataPath(options.data), error) : error;
    }
  }

  static async #start(options: MeshOptions): Promise<Mesh> {
    const host = options.host ?? "127.0.0.1";
    const data = await openDataDirectory(options.data);
    try {
      const mesh = new Mesh(options, data, await choosePorts(host, options.port ?? 5000, options.routers ?? 1));
      try {
        await mesh.#bringUp();
        return mesh;
      } catch (error) {
        await mesh.stop(1000);
        throw error;
      }
    } catch (error) {
      await data[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Base URL of a router. */
  url(router = 0): string {
    return `http://${this.host === "0.0.0.0" ? "127.0.0.1" : this.host}:${this.routerPorts[router]}`;
  }

  /** Every address the routers listen on, Triton's ports among them: what others can reach. Everything else listens on loopback. */
  get listeners(): readonly string[] {
    return this.#listeners.flatMap((listen) => listen.split(","));
  }

  /** The administrator's password of the first start; undefined once it was changed and the file removed. */
  adminPassword(): string | undefined {
    const file = this.data.adminPasswordFile;
    return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
  }

  /** The supervised processes by name. */
  get processes(): ReadonlyMap<string, SupervisedProcess> {
    return this.#processes;
  }

  /** The embedded PostgreSQL; undefined when an own one is used. */
  get postgres(): EmbeddedPostgres | undefined {
    return this.#postgres;
  }

  /** Where the embedded database is, when that is not in the data directory: only root can enter this, and PostgreSQL does not run as root. */
  get databasePlace(): string | undefined {
    const home = this.#postgres?.home;
    return home === undefined || home.startsWith(realpathSync(this.data.path)) ? undefined : home;
  }

  /** Stops everything in an order that lets requests finish: router, agent, services, PostgreSQL. */
  async stop(graceMs = 10_000): Promise<void> {
    this.#stopping = true;
    const named = (match: (name: string) => boolean) => [...this.#processes.values()].filter((p) => match(p.spec.name));
    const isRouter = (name: string) => name.startsWith("router");
    await Promise.all(named(isRouter).map((p) => p.stop(graceMs)));
    await Promise.all(named((n) => n === "agent").map((p) => p.stop(graceMs)));
    await Promise.all(named((n) => !isRouter(n) && n !== "agent").map((p) => p.stop(graceMs)));
    await this.#postgres?.stop();
    await this.data[Symbol.asyncDispose]();
  }

  async #bringUp(): Promise<void> {
    const startedAt = this.#clock.monotonic();
    const databaseUrls = this.#ownDatabase() ?? (await this.#startPostgres());
    this.#listeners = this.#routerListeners(await this.#tritonPorts());
    const specs = await processSpecs({
      data: this.data,
      databaseUrls,
      listeners: this.#listeners,
      schedulers: this.#options.schedulers ?? 1,
      replicas: this.#options.replicas ?? 2,
      env: this.#options.env ?? {},
      openLog: (name) => this.#openLog(name),
    });
    using deadline = deadlineSignal(startTimeoutMs, this.#options.signal);
    await Promise.all(specs.map((spec) => this.#launch(spec, startedAt, deadline.signal)));
    await Promise.all([this.#routersReady(deadline.signal), this.#replicasReady(deadline.signal)]);
  }

  /** A PostgreSQL of somebody's own: a URL for each service, or one for all. */
  #ownDatabase(): DatabaseUrls | undefined {
    return ownDatabaseUrls((name) => this.#options.env?.[name] || process.env[name] || undefined);
  }

  /** Passwords last as long as the supervisor: none is kept. */
  async #startPostgres(): Promise<DatabaseUrls> {
    const startedAt = this.#clock.monotonic();
    const directory = this.data.folder("postgres");
    const log = this.#openLog("postgres").file;
    const start = () =>
      startEmbeddedPostgres({
        directory,
        clock: this.#clock,
        durable: this.#options.durable ?? true,
        onLog: (line) => log.write(`${line}\n`),
        signal: this.#options.signal ?? AbortSignal.timeout(startTimeoutMs),
      });
    const watch = (postgres: EmbeddedPostgres) => {
      this.#postgres = postgres;
      postgres.failed.catch(async (error: unknown) => {
        if (this.#stopping) return;
        this.#tell({ kind: "restarting", part: "postgres", reason: AimassError.from(error).message });
        for (let waitMs = 100; !this.#stopping; waitMs = Math.min(waitMs * 2, 5000)) {
          try {
            watch(await start());
            return;
          } catch {
            await this.#clock.sleep(waitMs);
          }
        }
      });
    };
    const postgres = await start();
    watch(postgres);
    const urls = makeDatabaseUrls(postgres.url);
    await prepareDatabase(postgres.url, urls);
    this.#tell({ kind: "ready", part: "postgres", afterMs: this.#clock.monotonic() - startedAt });
    return urls;
  }

  #routerListeners(tritonPorts: readonly number[]): string[] {
    return this.routerPorts.map((port, i) =>
      [port, ...(i === 0 ? tritonPorts : [])].map((p) => `${this.host}:${p}`).join(","),
    );
  }

  async #tritonPorts(): Promise<number[]> {
    if (this.#options.tritonPorts === false) return [];
    const ports: number[] = [];
    for (const port of [8000, 8001]) {
      if (await isFree(this.host, port)) ports.push(port);
      else
        this.#tell({
          kind: "warning",
          message: `Port ${port}, where Triton's clients look by default, is taken; everything is on ${this.url()} too.`,
        });
    }
    return ports;
  }

  #openLog(name: string): ProcessSpec["log"] {
    const path = join(this.data.folder("logs"), `${name}.log`);
    const onTrouble = (message: string) => this.#tell({ kind: "warning", message });
    return { path, file: new LogFile({ path, clock: this.#clock, onTrouble }) };
  }

  #launch(spec: ProcessSpec, firstStartedAt: number, signal: AbortSignal): Promise<void> {
    let startedAt = firstStartedAt;
    return new Promise((resolve, reject) => {
      const onTimeout = () =>
        reject(
          new AimassError(
            "DEADLINE_EXCEEDED",
            `The ${spec.name} service was not ready in ${startTimeoutMs / 1000} s.`,
            { remedy: `Its log is ${spec.log.path}.` },
          ),
        );
      signal.addEventListener("abort", onTimeout, { once: true });
      let died = 0;
      const process_ = new SupervisedProcess(spec, this.#clock, (state) => {
        if (state.kind === "ready") {
          signal.removeEventListener("abort", onTimeout);
          this.#tell({ kind: "ready", part: spec.name, afterMs: this.#clock.monotonic() - startedAt });
          for (const message of state.warnings) this.#tell({ kind: "warning", message: `${spec.name}: ${message}` });
          resolve();
        } else if (state.kind === "failed") {
          reject(state.error);
        } else if (state.kind === "restarting" && !this.#stopping) {
          died += 1;
          startedAt = this.#clock.monotonic();
          this.#tell({ kind: "restarting", part: spec.name, reason: state.reason });
          if (died === 5) reject(process_.failure(state.reason));
        }
      });
      this.#processes.set(spec.name, process_);
    });
  }

  async #routersReady(signal: AbortSignal): Promise<void> {
    for (const router of this.routerPorts.keys()) await this.#untilReady(`${this.url(router)}/v2/health/ready`, signal);
  }

  /** The agent is ready once every replica process of its devices is up. */
  async #replicasReady(signal: AbortSignal): Promise<void> {
    const state = this.#processes.get("agent")?.state;
    if (state?.kind === "ready") await this.#untilReady(`http://${state.addresses.admin}/readyz`, signal);
  }

  async #untilReady(url: string, signal: AbortSignal): Promise<void> {
    while (!(await isReady(url, signal))) await this.#clock.sleep(20, signal);
  }

  #tell(event: MeshEvent): void {
    this.#options.onProgress?.(event);
  }
}

function diskFull(path: string, cause: unknown): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", `The disk that holds ${path} is full.`, {
    reason: "DISK_FULL",
    remedy: "Free some space, then start again; or choose another data directory with --data DIR.",
    cause,
  });
}

async function isReady(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await fetch(url, { signal })).ok;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

async function choosePorts(host: string, first: number, count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const port = first === 0 ? await freePort() : first + i;
    if (first !== 0) await assertFree(host, port);
    ports.push(port);
  }
  return ports;
}
