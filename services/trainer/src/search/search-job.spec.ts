import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Job, JobState, TrainingService, TrialState, type WatchJobResponse } from "@aimass/api/trainer";
import { type AimassError, parseAddress, type RunningService, systemClock } from "@aimass/core";
import { createMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { closeServiceClients, createServiceClient, fromConnectError, type RpcServer } from "@aimass/rpc";
import { createTestDatabase, type TestDatabase, waitFor } from "@aimass/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startTrainer } from "../app.ts";
import { readTrainerConfig } from "../config.ts";
import { startSmallAuth } from "../testing/small-auth.ts";
import { type SmallRegistry, startSmallRegistry } from "../testing/small-registry.ts";
import { planeCsv, ringCsv } from "./testing.ts";

let directory: string;
let auth: RpcServer;
let registry: SmallRegistry;
let database: TestDatabase;
const trainers: RunningService[] = [];

const identity = (role: string) =>
  ServiceIdentity.load(join(directory, `${role}.identity.json`), join(directory, "trust.json"), systemClock);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "aimass-test-"));
  await createMeshIdentity(directory, ["auth", "registry", "trainer", "router"]);
  auth = await startSmallAuth(await identity("auth"));
  registry = await startSmallRegistry(await identity("registry"));
  registry.addDataset("ring", ringCsv(400));
  registry.addDataset("plane", planeCsv(400));
  database = await createTestDatabase();
}, 120_000);

afterEach(async () => {
  await Promise.all(trainers.splice(0).map((trainer) => trainer.stop(1000)));
});

afterAll(async () => {
  await registry?.server.drain(0);
  await auth?.drain(0);
  await database?.drop();
  closeServiceClients();
  await rm(directory, { recursive: true, force: true });
});

async function start() {
  const address = (a: { host: string; port: number }) => `${a.host}:${a.port}`;
  const env = {
    PATH: process.env.PATH,
    LOG: "silent",
    AIMASS_IDENTITY_FILE: join(directory, "trainer.identity.json"),
    AIMASS_TRUST_FILE: join(directory, "trust.json"),
    AIMASS_DATABASE_URL: database.url,
    AIMASS_AUTH_ADDRESSES: address(auth.address),
    AIMASS_REGISTRY_ADDRESSES: address(registry.address),
    AIMASS_STATE_DIR: directory,
    AIMASS_TRAINER_WORKERS: "1",
  };
  const trainer = await startTrainer(readTrainerConfig(env), env);
  trainers.push(trainer);
  await waitFor(async () => (await fetch(`http://${trainer.addresses.admin}/readyz`)).ok, { what: "a ready trainer" });
  const addresses = [parseAddress(trainer.addresses.rpc ?? "") ?? expect.fail()];
  return createServiceClient(TrainingService, {
    addresses,
    identity: await identity("router"),
    onBehalfOf: "user:ada",
  });
}

type Client = Awaited<ReturnType<typeof start>>;

const ring = { recipe: "auto", dataset: "ring", target: "side", model: "ring", seed: 7n, importanceRepeats: 1 };
const plane = { recipe: "ridge", dataset: "plane", target: "y", model: "plane", seed: 7n, importanceRepeats: 1 };

async function create(client: Client, spec: object): Promise<Job> {
  const { job = expect.fail() } = await client.createJob({ spec, idempotencyKey: "" });
  return job;
}

async function watch(client: Client, id: string): Promise<WatchJobResponse[]> {
  const events: WatchJobResponse[] = [];
  for await (const event of client.watchJob({ id, afterSequence: 0n })) events.push(event);
  return events;
}

const jobsOf = (events: readonly WatchJobResponse[]) =>
  events.flatMap(({ event }) => (event.case === "job" ? [event.value] : []));
const linesOf = (events: readonly WatchJobResponse[]) =>
  events.flatMap(({ event }) => (event.case === "logLine" ? [event.value] : []));
const failure = (call: Promise<unknown>): Promise<AimassError> =>
  call.then(() => expect.fail("it went through"), fromConnectError);

/** Processes whose command has a word, with their parents. */
function processes(word: string): { pid: number; parent: number }[] {
  const table = execFileSync("ps", ["-eo", "pid,ppid,args"], { encoding: "utf8" });
  return table
    .split("\n")
    .filter((line) => line.includes(word))
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([pid = 0, parent = 0]) => ({ pid, parent }));
}

/** The worker of this trainer, and the trials that it runs. */
function running() {
  const workers = processes("worker-main.ts").filter(({ parent }) => parent === process.pid);
  const trials = processes("trial-main.ts").filter(({ parent }) => workers.some(({ pid }) => pid === parent));
  return { worker: workers[0]?.pid, trials: trials.map(({ pid }) => pid) };
}

const isAlive = (pid: number) => processes("").some((one) => one.pid === pid);

/** Until so many trials of a job have ended. */
async function scored(client: Client, id: string, count: number): Promise<void> {
  const ended = async () => {
    const { report } = await client.getJobReport({ id });
    return (report?.leaderboard ?? []).filter(({ state }) => state === TrialState.DONE).length >= count;
  };
  await waitFor(() => ended().catch(() => false), { what: `${count} trials that ended`, timeoutMs: 60_000 });
}

describe("a job that searches", { timeout: 180_000 }, () => {
  it("is offered among the recipes", async () => {
    const client = await start();
    const { recipes } = await client.listRecipes({});
    expect(recipes.find(({ name }) => name === "auto")).toMatchObject({
      tasks: ["regression", "classification"],
      parameters: [],
    });
  });

  it('with "auto" leaves a version whose lineage has the recipe, its parameters and what was tried', async () => {
    const client = await start();
    const { id } = await create(client, { ...ring, search: { trials: 7, budgetSeconds: 600 } });
    const events = await watch(client, id);
    const last = jobsOf(events).at(-1) ?? expect.fail();
    expect(last.stateReason).toMatch(/Version 1 of default.ring/);
    expect(last.state).toBe(JobState.SUCCEEDED);
    expect(last.metrics.macro_f1).toBeGreaterThan(0.8);
    const { report } = await client.getJobReport({ id });
    expect(report?.leaderboard).toHaveLength(7);
    const best = report?.leaderboard[0] ?? expect.fail();
    const { lineage, labels } = registry.versions.at(-1)?.request ?? expect.fail();
    expect(labels.recipe).toBe(best.recipe);
    expect(lineage?.recipe).toBe(best.recipe);
    expect(JSON.parse(lineage?.parametersJson ?? "")).toMatchObject({ ...best.parameters, ...best.choices });
    expect(JSON.parse(lineage?.howJson ?? "")).toMatchObject({ trials: 7, chosen: best.number });
    expect(linesOf(events).join("\n")).toMatch(
      /trial 1: logistic-regression \((?=[^)]*l1 0)(?=[^)]*l2 )[^)]*\): macro_f1/,
    );
    expect(jobsOf(events).some(({ stateReason }) => /trial \d of 7/.test(stateReason))).toBe(true);
    const curve = events.flatMap(({ event }) =>
      event.case === "metric" && event.value.name === "best_score" ? [event.value.value] : [],
    );
    expect(curve.at(-1)).toBeCloseTo(best.score ?? 0);
  });

  it("whose worker is killed goes on elsewhere without the trials that ended", async () => {
    const client = await start();
    const search = { trials: 60, parallel: 1 };
    const { id } = await create(client, { ...plane, recipe: "random-forest", search });
    await scored(client, id, 3);
    const { worker = expect.fail("no worker"), trials } = running();
    expect(trials).toHaveLength(1);
    // A checkpoint is on its way to the database for a moment.
    await systemClock.sleep(1500);
    process.kill(worker, "SIGKILL");
    const events = await watch(client, id);
    const last = jobsOf(events).at(-1) ?? expect.fail();
    expect(last.state, last.stateReason).toBe(JobState.SUCCEEDED);
    expect(last.attempt).toBe(2);
    const lines = linesOf(events);
    expect(lines.join("\n")).toMatch(/\d+ trials are known from an earlier attempt/);
    expect(lines.filter((line) => /^trial 1:/.test(line))).toHaveLength(1);
    expect(trials.filter(isAlive)).toEqual([]);
    const { report } = await client.getJobReport({ id });
    expect(report?.leaderboard.map(({ number }) => number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 60 }, (_, i) => i + 1),
    );
  });

  // Two seconds are a promise of a machine that has time; a busy one may need another try.
  it("ends within two seconds when it is cancelled, with all of its trials", { retry: 1 }, async () => {
    const client = await start();
    const { id } = await create(client, {
      ...plane,
      recipe: "gradient-boosting",
      search: { trials: 500, parallel: 2 },
    });
    await scored(client, id, 1);
    const { trials } = running();
    expect(trials.length).toBeGreaterThan(0);
    const startedAt = performance.now();
    await client.cancelJob({ id });
    await waitFor(async () => (await client.getJob({ id })).job?.state === JobState.CANCELLED, { what: "the end" });
    expect(performance.now() - startedAt).toBeLessThan(2000);
    await waitFor(() => trials.every((pid) => !isAlive(pid)), { what: "ended trials" });
  });

  it("that cannot be is refused with its field", async () => {
    const client = await start();
    const refused = async (change: object) => (await failure(create(client, { ...plane, ...change }))).field;
    expect(await refused({ search: { method: "grid" } })).toBe("spec.search.method");
    expect(await refused({ search: { ranges: { l2: { from: 2, to: 1 } } } })).toBe('spec.search.ranges["l2"]');
    expect(await refused({ search: { metric: "accuracy" } })).toBe("spec.search.metric");
    expect(await refused({ recipe: "auto", search: { recipes: ["naive-bayes-gaussian"] } })).toBe(
      "spec.search.recipes[0]",
    );
    expect(await refused({ recipe: "auto", parameters: { l2: 1 } })).toBe('spec.parameters["l2"]');
  });
});
