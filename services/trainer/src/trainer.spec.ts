import { type Job, JobState, TrialState, type WatchJobResponse } from "@aimass/api/trainer";
import { systemClock } from "@aimass/core";
import { startMortalPostgres, waitFor } from "@aimass/testkit";
import { InferenceSession, Tensor } from "onnxruntime-node";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startSmallRegistry } from "./testing/small-registry.ts";
import { failure, planeCsv, TrainerHarness, type TrainingClient } from "./testing/trainer-harness.ts";

let mesh: TrainerHarness;

beforeAll(async () => {
  mesh = await TrainerHarness.open();
});
beforeEach(() => mesh.begin());
afterEach(() => mesh.end());
afterAll(() => mesh[Symbol.asyncDispose]());

const ascending = (a: bigint, b: bigint) => Number(a - b);

const states = (events: readonly WatchJobResponse[]) =>
  events
    .flatMap(({ event }) => (event.case === "job" ? [JobState[event.value.state]] : []))
    .filter((s, i, all) => s !== all[i - 1]);

/** Holds downloads up from now on; gives back how to let them go. */
function holdDownloads(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  mesh.registry.beforeChunk = () => promise;
  return () => {
    mesh.registry.beforeChunk = async () => {};
    resolve();
  };
}

const stateOf = async (client: TrainingClient, id: string) => (await client.getJob({ id })).job?.state;
const runs = (client: TrainingClient, id: string) =>
  waitFor(async () => (await stateOf(client, id)) === JobState.RUNNING, { timeoutMs: 60_000, what: "a running job" });

/** The processes that run jobs, by looking at the children of a trainer. */
async function workerPids(trainer = process.pid): Promise<number[]> {
  const { execFileSync } = await import("node:child_process");
  const table = execFileSync("ps", ["-eo", "pid,ppid,args"], { encoding: "utf8" });
  return table
    .split("\n")
    .filter((line) => line.includes("worker-main.ts"))
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === trainer)
    .map(([pid = 0]) => pid);
}

async function isAlive(pid: number): Promise<boolean> {
  // A zombie has ended, whoever has not been told yet.
  const { readFile } = await import("node:fs/promises");
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return status !== undefined && !/\) Z /.test(status);
}

describe("a job", () => {
  it("trains, registers in its creator's name with its whole lineage, and what is served is what was trained", async () => {
    const { client } = await mesh.start();
    const job = await mesh.create(client);
    expect(job).toMatchObject({ state: JobState.QUEUED, createdBy: "user:ada" });
    expect(job.spec).toMatchObject({ datasetVersion: 1n, features: ["a", "b"], testShare: 0.2 });
    const events = await mesh.watch(client, job.id);
    expect(states(events)).toEqual(["QUEUED", "LEASED", "RUNNING", "SUCCEEDED"]);
    expect(events.map((e) => e.sequence)).toEqual([...new Set(events.map((e) => e.sequence))].sort(ascending));
    const done = (await client.getJob({ id: job.id })).job as Job;
    expect(done).toMatchObject({ progress: 1, modelVersion: 1n, stateReason: "Version 1 of default.slope is ready." });
    expect(done.metrics.r2).toBeGreaterThan(0.999);
    expect(done.warnings).toEqual([expect.stringMatching(/Left out: "city".*"ridge" takes all/)]);
    expect(Object.keys(done.metrics)).toEqual(expect.arrayContaining(["latency_ms", "mae", "r2", "rmse", "train_r2"]));

    const [version = expect.fail()] = mesh.registry.versions;
    expect(version.by).toBe("user:ada");
    const { lineage = expect.fail(), metrics, labels } = version.request;
    expect(lineage).toMatchObject({ jobId: job.id, recipe: "linear", dataset: "plane", datasetVersion: 1n });
    expect(lineage.datasetSha256).toHaveLength(32);
    expect(JSON.parse(lineage.split)).toMatchObject({ spec: { seed: 7, shares: { test: 0.2 } } });
    expect(JSON.parse(lineage.parametersJson)).toEqual({ l2: 1 });
    expect(JSON.parse(lineage.featureBaselineJson)).toMatchObject({ features: { a: {}, b: {} } });
    expect([metrics.r2, labels]).toEqual([done.metrics.r2, { recipe: "linear", target: "y", task: "regression" }]);

    const session = await InferenceSession.create(version.onnx);
    const { y = expect.fail() } = await session.run({
      a: new Tensor("float32", [10, 100], [2]),
      b: new Tensor("float32", [20, 0], [2]),
    });
    expect(y.dims).toEqual([2, 1]);
    expect(Math.abs((y.data[0] as number) - -5)).toBeLessThan(2);
    expect(Math.abs((y.data[1] as number) - 305)).toBeLessThan(4);
  });

  it("can be watched from the middle and from another trainer", async () => {
    const { client } = await mesh.start();
    const job = await mesh.create(client);
    const all = await mesh.watch(client, job.id);
    const { client: other } = await mesh.start({ workers: 0 });
    const rest = await mesh.watch(other, job.id, 3n);
    // Progress is told until something later is; everything else stays.
    const told = all.slice(3).filter((e, i, late) => e.event.case !== "job" || late[i + 1] === undefined);
    expect(rest.filter((e) => told.some((t) => t.sequence === e.sequence))).toHaveLength(told.length);
    expect(rest.map((e) => e.sequence).sort(ascending)).toEqual(rest.map((e) => e.sequence));
    const next = await mesh.create(client);
    expect(states(await mesh.watch(other, next.id)).at(-1)).toBe("SUCCEEDED");
  });

  it("asked for twice with one key is one job", async () => {
    const { client } = await mesh.start({ workers: 0 });
    const [first, second] = await Promise.all([mesh.create(client, {}, "key-1"), mesh.create(client, {}, "key-1")]);
    expect(second.id).toBe(first.id);
    expect((await mesh.create(client, {}, "key-2")).id).not.toBe(first.id);
  });

  it("runs in the order of the queue", async () => {
    const { client } = await mesh.start();
    const jobs = [await mesh.create(client), await mesh.create(client), await mesh.create(client)];
    const endings = await Promise.all(jobs.map((job) => mesh.ended(client, job.id)));
    const versions = endings.map((job) => job.modelVersion);
    expect(versions).toEqual([1n, 2n, 3n]);
  });

  it("fails with row and column when a cell is bad, and makes no version", async () => {
    const { client } = await mesh.start();
    // 0x… passes as a number in the schema of this small registry, and is none for the trainer.
    mesh.registry.addDataset("plane", planeCsv(300).replace(/\n(\d+),/, "\n0x$1,"));
    const done = await mesh.ended(client, (await mesh.create(client)).id);
    expect(done.state).toBe(JobState.FAILED);
    expect(done.stateReason).toMatch(/^Row 1 \(line 2\), column "a": "0x0" is not a number/);
    expect(mesh.registry.versions).toEqual([]);
  });

  it("that its gate holds back fails with its numbers and makes no version", async () => {
    const { client } = await mesh.start();
    const job = await mesh.create(client, { gate: { metric: "rmse", bound: 1e-6 } });
    const done = await mesh.ended(client, job.id);
    expect(done.state).toBe(JobState.FAILED);
    expect(done.stateReason).toMatch(/gate held the model back: held-out rmse is .* must be at most 0.000001/);
    expect(done.metrics.rmse).toBeGreaterThan(0);
    expect(mesh.registry.versions).toEqual([]);
  });
});

describe("a dataset with more columns than usual", { timeout: 180_000 }, () => {
  const wide = `a,y,${Array.from({ length: 10_000 }, (_, i) => `c${i}`).join(",")}\n`;
  const rows = Array.from({ length: 40 }, (_, i) => `${i},${2 * i + (i % 2)}${",1".repeat(10_000)}\n`);
  const job = { features: ["a"], recipe: "ridge", search: { method: "random", trials: 2 } };

  it("is searched and trained on where the operator raised the limit", async () => {
    mesh.registry.addDataset("plane", wide + rows.join(""));
    const { client } = await mesh.start({ env: { AIMASS_MAX_DATASET_COLUMNS: "20000" } });
    const { id } = await mesh.create(client, job);
    expect(await mesh.ended(client, id)).toMatchObject({ stateReason: "Version 1 of default.slope is ready." });
    const { report } = await client.getJobReport({ id });
    expect(report?.leaderboard.map(({ state }) => state)).toEqual([TrialState.DONE, TrialState.DONE]);
  });

  it("fails elsewhere, and says which variable it takes", async () => {
    mesh.registry.addDataset("plane", wide + rows.join(""));
    const { client } = await mesh.start();
    const done = await mesh.ended(client, (await mesh.create(client, job)).id);
    expect(done.stateReason).toContain("the limit is 10,000. Make the file smaller, or ask an operator");
    expect(done.stateReason).toContain("raise AIMASS_MAX_DATASET_COLUMNS.");
  });
});

describe("cancelling", () => {
  it("ends a queued job at once and leaves an ended one as it is", async () => {
    const { client } = await mesh.start({ workers: 0 });
    const { id } = await mesh.create(client);
    expect((await client.cancelJob({ id })).job?.state).toBe(JobState.CANCELLED);
    expect((await client.cancelJob({ id })).job?.state).toBe(JobState.CANCELLED);
    expect(states(await mesh.watch(client, id))).toEqual(["QUEUED", "CANCELLED"]);
  });

  it("stops a running job soon, and its process", async () => {
    const release = holdDownloads();
    const { client } = await mesh.start();
    const { id } = await mesh.create(client);
    await runs(client, id);
    const startedAt = performance.now();
    await client.cancelJob({ id });
    const done = await mesh.ended(client, id);
    // Two seconds are promised; the rest is for a busy machine.
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(done).toMatchObject({ state: JobState.CANCELLED, stateReason: "Cancelled." });
    await waitFor(async () => (await workerPids()).length === 0, { what: "no worker" });
    release();
  });

  it("by a trainer that does not run the job works too", async () => {
    const release = holdDownloads();
    const { client } = await mesh.start();
    const { client: other } = await mesh.start({ workers: 0 });
    const { id } = await mesh.create(client);
    await runs(client, id);
    await other.cancelJob({ id });
    expect((await mesh.ended(other, id)).state).toBe(JobState.CANCELLED);
    release();
  });
});

describe("a worker that is killed", () => {
  it("sends its job back, and the next attempt makes the one version", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    mesh.registry.afterVersion = () => promise;
    const { client } = await mesh.start();
    const { id } = await mesh.create(client);
    await waitFor(() => mesh.registry.versions.length === 1, { timeoutMs: 60_000, what: "a version" });
    const [pid = expect.fail()] = await workerPids();
    process.kill(pid, "SIGKILL");
    await waitFor(async () => (await client.getJob({ id })).job?.attempt === 2, { timeoutMs: 60_000 });
    resolve();
    const done = await mesh.ended(client, id);
    expect(done).toMatchObject({ state: JobState.SUCCEEDED, attempt: 2, modelVersion: 1n });
    expect(mesh.registry.versions).toHaveLength(1);
  });

  it("three times fails the job and says so", async () => {
    const release = holdDownloads();
    const { client } = await mesh.start();
    const { id } = await mesh.create(client);
    for (let attempt = 1; attempt <= 3; attempt++) {
      const attempted = async () => {
        const { job } = await client.getJob({ id });
        return job?.attempt === attempt && job.state === JobState.RUNNING;
      };
      await waitFor(attempted, { timeoutMs: 60_000, what: `attempt ${attempt}` });
      for (const pid of await workerPids()) process.kill(pid, "SIGKILL");
    }
    const done = await mesh.ended(client, id);
    expect(done.state).toBe(JobState.FAILED);
    expect(done.stateReason).toBe("The worker died (SIGKILL). That was attempt 3 of 3.");
    release();
  }, 120_000);
});

describe("a trainer that goes", () => {
  it("cleanly gives its job back, and another finishes it", async () => {
    const release = holdDownloads();
    const { trainer, client } = await mesh.start();
    const { id } = await mesh.create(client);
    await runs(client, id);
    const { client: other } = await mesh.start();
    await trainer.stop(500);
    mesh.forget(trainer);
    release();
    expect((await mesh.ended(other, id)).state).toBe(JobState.SUCCEEDED);
    expect(mesh.registry.versions).toHaveLength(1);
  });

  it("silently loses its job when the lease runs out, and what it writes later is refused", async () => {
    const { client } = await mesh.start({ workers: 0 });
    const { id } = await mesh.create(client);
    // A trainer that took the job and will never be heard of again.
    const pool = new pg.Pool({ connectionString: mesh.database.url });
    await pool.query(
      `update trainer.job set state = 'RUNNING', attempt = 1, lease_holder = 'trainer/gone', lease_expires_at = clock_timestamp() + interval '1 second'`,
    );
    const { client: other } = await mesh.start();
    const done = await mesh.ended(other, id);
    expect(done).toMatchObject({ state: JobState.SUCCEEDED, attempt: 2 });
    const late = await pool.query(
      `update trainer.job set state = 'FAILED' where id = $1 and lease_holder = 'trainer/gone' and attempt = 1`,
      [id],
    );
    expect(late.rowCount).toBe(0);
    await pool.end();
  });

  it("by SIGKILL takes its workers with it, and the job goes on elsewhere", async () => {
    const release = holdDownloads();
    const doomed = await mesh.startProcess();
    const client = await mesh.clientOf(doomed, "user:ada");
    const { id } = await mesh.create(client);
    await runs(client, id);
    const [worker = expect.fail()] = await workerPids(doomed.pid);
    process.kill(doomed.pid, "SIGKILL");
    await waitFor(async () => !(await isAlive(worker)), { timeoutMs: 60_000, what: "no worker without its trainer" });
    const { client: other } = await mesh.start();
    release();
    expect(await mesh.ended(other, id)).toMatchObject({ state: JobState.SUCCEEDED, attempt: 2 });
    expect(mesh.registry.versions).toHaveLength(1);
  }, 120_000);
});

describe("rights", () => {
  it("are asked of the caller: viewers see jobs, make none, and strangers see nothing", async () => {
    const { trainer, client } = await mesh.start({ workers: 0 });
    const { id } = await mesh.create(client);
    const eve = await mesh.clientOf(trainer, "user:eve");
    expect((await eve.getJob({ id })).job?.id).toBe(id);
    expect((await eve.listJobs({})).jobs).toHaveLength(1);
    expect((await failure(mesh.create(eve))).code).toBe("PERMISSION_DENIED");
    expect((await failure(eve.cancelJob({ id }))).code).toBe("PERMISSION_DENIED");
    const nobody = await mesh.clientOf(trainer, "anonymous");
    expect((await failure(nobody.getJob({ id }))).message).toBe(`There is no job "${id}".`);
    expect((await failure(mesh.watch(nobody, id))).code).toBe("NOT_FOUND");
    expect((await nobody.listJobs({})).jobs).toEqual([]);
    expect((await failure(mesh.create(nobody))).code).toBe("UNAUTHENTICATED");
    expect((await nobody.listRecipes({})).recipes.map((r) => r.name)).toContain("linear");
  });

  it("of another project do not count, and lists go page by page, newest first", async () => {
    const { client } = await mesh.start({ workers: 0 });
    expect((await failure(mesh.create(client, { project: "other" }))).code).toBe("PERMISSION_DENIED");
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.unshift((await mesh.create(client)).id);
    const seen: string[] = [];
    let token = "";
    do {
      const { jobs, page } = await client.listJobs({ project: "default", page: { size: 2, token } });
      seen.push(...jobs.map((job) => job.id));
      token = page?.nextToken ?? "";
    } while (token !== "");
    expect(seen).toEqual(ids);
    expect((await failure(client.listJobs({ page: { token: "x" } }))).code).toBe("INVALID_ARGUMENT");
  });
});

describe("a database that is killed", () => {
  it("while a job runs costs the job nothing, whether its lease survives or not", async () => {
    await using postgres = await startMortalPostgres();
    const release = holdDownloads();
    const { client, trainer } = await mesh.start({ databaseUrl: postgres.url });
    const { id } = await mesh.create(client);
    await runs(client, id);
    await postgres.kill();
    await systemClock.sleep(3000);
    expect((await failure(client.getJob({ id }, { timeoutMs: 2000 }))).code).toMatch(/UNAVAILABLE|DEADLINE_EXCEEDED/);
    await postgres.revive();
    release();
    const again = async () => (await client.getJob({ id })).job?.state === JobState.SUCCEEDED;
    await waitFor(again, { timeoutMs: 60_000, what: "the job's success" });
    expect(mesh.registry.versions).toHaveLength(1);
    await trainer.stop(1000);
    mesh.forget(trainer);
  }, 120_000);
});

describe("a registry that is away", () => {
  it("for a while is waited for", async () => {
    const { client } = await mesh.start();
    const release = holdDownloads();
    const { id } = await mesh.create(client);
    await runs(client, id);
    const listening = mesh.registry.address;
    await mesh.registry.server.drain(0);
    release();
    await systemClock.sleep(500);
    const { versions } = mesh.registry;
    mesh.registry = await startSmallRegistry(await mesh.identity("registry"), listening);
    mesh.registry.addDataset("plane", planeCsv(300));
    expect(versions).toEqual([]);
    expect((await mesh.ended(client, id)).state).toBe(JobState.SUCCEEDED);
  });

  it("at the end of a job costs nothing but time: the version is made when it is back, and once", async () => {
    const { client } = await mesh.start();
    const { versions, address, memory } = mesh.registry;
    let gone: Promise<void> | undefined;
    // It goes the moment the version is made, before anybody hears of it.
    mesh.registry.afterVersion = () => {
      gone ??= mesh.registry.server.drain(0);
      return new Promise(() => {});
    };
    const { id } = await mesh.create(client);
    await waitFor(() => versions.length === 1, { timeoutMs: 60_000, what: "a version" });
    await gone;
    await systemClock.sleep(10_000);
    expect((await client.getJob({ id })).job?.state).toBe(JobState.RUNNING);
    mesh.registry = await startSmallRegistry(await mesh.identity("registry"), address, memory);
    const done = await mesh.ended(client, id);
    expect(done).toMatchObject({ state: JobState.SUCCEEDED, modelVersion: 1n });
    expect(versions.map((v) => v.request.idempotencyKey)).toEqual([id]);
  }, 120_000);
});
