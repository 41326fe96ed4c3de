import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Job, type JobSpecSchema, TrainingService, type WatchJobResponse } from "@aimass/api/trainer";
import { type AimassError, formatAddress, parseAddress, type RunningService, systemClock } from "@aimass/core";
import { createMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { closeServiceClients, createServiceClient, fromConnectError } from "@aimass/rpc";
import { createTestDatabase, type TestDatabase, waitFor } from "@aimass/testkit";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { expect } from "vitest";
import { startTrainer } from "../app.ts";
import { readTrainerConfig } from "../config.ts";
import { type SmallAuth, startSmallAuth } from "./small-auth.ts";
import { type SmallRegistry, startSmallRegistry } from "./small-registry.ts";

export type TrainingClient = Client<typeof TrainingService>;
export type SpecInit = Exclude<MessageInitShape<typeof JobSpecSchema>, { $typeName: string }>;

/** What most tests train. */
export const planeSpec: SpecInit = { recipe: "linear", dataset: "plane", target: "y", model: "slope", seed: 7n };

/** Whole trainers in this process, with their workers, on a real database, between an auth service and a registry in memory. Open it once for a file. */
export class TrainerHarness implements AsyncDisposable {
  readonly directory: string;
  readonly auth: SmallAuth;
  registry!: SmallRegistry;
  database!: TestDatabase;
  #trainers: RunningService[] = [];

  private constructor(directory: string, auth: SmallAuth) {
    this.directory = directory;
    this.auth = auth;
  }

  static async open(): Promise<TrainerHarness> {
    const directory = await mkdtemp(join(tmpdir(), "aimass-test-"));
    await createMeshIdentity(directory, ["auth", "registry", "trainer", "router"]);
    return new TrainerHarness(directory, await startSmallAuth(await loadIdentity(directory, "auth")));
  }

  /** Before each test: a registry with the dataset "plane" and an empty database. */
  async begin(): Promise<void> {
    this.registry = await startSmallRegistry(await this.identity("registry"));
    this.registry.addDataset("plane", planeCsv(300));
    this.database = await createTestDatabase();
  }

  async stopTrainers(): Promise<void> {
    await Promise.all(this.#trainers.splice(0).map((trainer) => trainer.stop(1000)));
  }

  async end(): Promise<void> {
    await this.stopTrainers();
    await this.registry.server.drain(0);
    await this.database.drop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.auth.drain(0);
    closeServiceClients();
    await rm(this.directory, { recursive: true });
  }

  identity(role: string): Promise<ServiceIdentity> {
    return loadIdentity(this.directory, role);
  }

  /** Starts a trainer; the client is user:ada's. */
  async start(options: { workers?: number; databaseUrl?: string; env?: Record<string, string> } = {}) {
    const env = { ...this.#environment(options.workers ?? 1, options.databaseUrl), ...options.env };
    const trainer = await startTrainer(readTrainerConfig(env), env);
    this.#trainers.push(trainer);
    const isReady = async () => (await fetch(`http://${trainer.addresses.admin}/readyz`)).ok;
    await waitFor(isReady, { timeoutMs: 20_000, what: "a ready trainer" });
    return { trainer, client: await this.clientOf(trainer, "user:ada") };
  }

  /** Starts a trainer as a process of its own, which the test kills; it ends with this one at the latest. */
  async startProcess(): Promise<{ pid: number; addresses: RunningService["addresses"] }> {
    const main = fileURLToPath(new URL("../main.ts", import.meta.url));
    const env = this.#environment(1) as NodeJS.ProcessEnv;
    const child = fork(main, [], { env, execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] });
    const addresses = await new Promise<RunningService["addresses"]>((resolve, reject) => {
      child.once("exit", (code) => reject(new Error(`The trainer ended with ${code}.`)));
      child.on(
        "message",
        (message: { ready?: RunningService["addresses"] }) => message.ready && resolve(message.ready),
      );
    });
    const isReady = async () => (await fetch(`http://${addresses.admin}/readyz`)).ok;
    await waitFor(isReady, { timeoutMs: 20_000, what: "a ready trainer" });
    return { pid: child.pid ?? 0, addresses };
  }

  /** Of a trainer that the test stopped itself. */
  forget(trainer: RunningService): void {
    this.#trainers = this.#trainers.filter((t) => t !== trainer);
  }

  async clientOf(trainer: Pick<RunningService, "addresses">, onBehalfOf: string): Promise<TrainingClient> {
    const addresses = [parseAddress(trainer.addresses.rpc ?? "") ?? expect.fail()];
    return createServiceClient(TrainingService, { addresses, identity: await this.identity("router"), onBehalfOf });
  }

  async create(client: TrainingClient, change: SpecInit = {}, idempotencyKey = ""): Promise<Job> {
    const { job = expect.fail() } = await client.createJob({ spec: { ...planeSpec, ...change }, idempotencyKey });
    return job;
  }

  async watch(client: TrainingClient, id: string, afterSequence = 0n): Promise<WatchJobResponse[]> {
    const events: WatchJobResponse[] = [];
    for await (const event of client.watchJob({ id, afterSequence })) events.push(event);
    return events;
  }

  async ended(client: TrainingClient, id: string): Promise<Job> {
    const last = (await this.watch(client, id)).filter((e) => e.event.case === "job").at(-1);
    return last?.event.value as Job;
  }

  #environment(workers: number, databaseUrl = this.database.url): Record<string, string | undefined> {
    return {
      PATH: process.env.PATH,
      LOG: "silent",
      AIMASS_IDENTITY_FILE: join(this.directory, "trainer.identity.json"),
      AIMASS_TRUST_FILE: join(this.directory, "trust.json"),
      AIMASS_DATABASE_URL: databaseUrl,
      AIMASS_AUTH_ADDRESSES: formatAddress(this.auth.address),
      AIMASS_REGISTRY_ADDRESSES: formatAddress(this.registry.address),
      AIMASS_STATE_DIR: this.directory,
      AIMASS_TRAINER_WORKERS: String(workers),
    };
  }
}

/** The error a call ends with; the test fails when it goes through. */
export const failure = (call: Promise<unknown>): Promise<AimassError> =>
  call.then(() => expect.fail("it went through"), fromConnectError);

/** y = 3a − 2b + 5 with a little noise that depends on the row alone. */
export function planeCsv(rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const a = (i * 7919) % 101;
    const b = (i * 104729) % 53;
    return `${a},${b},${3 * a - 2 * b + 5 + Math.sin(i)},city${i % 3}`;
  });
  return `a,b,y,city\n${lines.join("\n")}\n`;
}

function loadIdentity(directory: string, role: string): Promise<ServiceIdentity> {
  const file = join(directory, `${role}.identity.json`);
  return ServiceIdentity.load(file, join(directory, "trust.json"), systemClock);
}
