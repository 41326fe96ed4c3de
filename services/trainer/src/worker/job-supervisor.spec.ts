import { execFileSync } from "node:child_process";
import { mkdir, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Job, JobState } from "@aimass/api/trainer";
import { systemClock } from "@aimass/core";
import { createTestDatabase, startMortalPostgres, type TestDatabase, waitFor } from "@aimass/testkit";
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JobFeed } from "../jobs/job-feed.ts";
import type { LeasedJob } from "../jobs/job-leases.ts";
import { type Jobs, openJobs, startWorkers } from "../testing/job-fixture.ts";
import { ScratchFolders } from "./scratch-folders.ts";

let database: TestDatabase;
let parts: Jobs;

beforeAll(async () => {
  database = await createTestDatabase();
  parts = await openJobs(database.url);
});

afterAll(async () => {
  await parts[Symbol.asyncDispose]();
  await database.drop();
});

const find = async (id: string, from = parts): Promise<Job> => (await from.jobs.find(id)) ?? expect.fail();
const endedStates = [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED];
async function ended(id: string, from = parts, timeoutMs = 60_000): Promise<Job> {
  await waitFor(async () => endedStates.includes((await find(id, from)).state), { timeoutMs, what: "the job's end" });
  return find(id, from);
}
const runs = (id: string, from = parts) =>
  waitFor(async () => (await find(id, from)).state === JobState.RUNNING, { timeoutMs: 60_000, what: "a running job" });
const reached = (id: string, step: number) =>
  waitFor(async () => (await find(id)).step >= step, { timeoutMs: 60_000, what: `step ${step}` });

async function told(id: string, from = parts) {
  using feed = await JobFeed.open(from.store);
  const events = [];
  for await (const event of feed.watch(id, 0n, new AbortController().signal)) events.push(event);
  const lines = events.flatMap(({ event }) => (event.case === "logLine" ? [event.value] : []));
  const points = events.flatMap(({ event }) => (event.case === "metric" ? [event.value] : []));
  return { events, lines, points };
}

/** The processes that run jobs, by looking at the children of this one. */
function workerPids(): number[] {
  const table = execFileSync("ps", ["-eo", "pid,ppid,args"], { encoding: "utf8" });
  const rows = table.split("\n").filter((line) => line.includes("obedient-worker.ts"));
  const pids = rows.map((line) => line.trim().split(/\s+/).map(Number));
  return pids.filter(([, parent]) => parent === process.pid).map(([pid = 0]) => pid);
}

describe("devices", () => {
  const script = (gpus: number) => ({ script: { command: ["x"], limits: { gpus } }, choices: { tellGpus: "" } });
  const devicesOf = async (id: string) =>
    (await told(id)).lines.flatMap((line) => (line.startsWith("devices ") ? [line.slice("devices ".length)] : []));

  it("are a running job's alone, though workers are free and jobs wait for them", async () => {
    await using _workers = startWorkers(parts, { holder: "trainer/one", workers: 4, gpus: ["0", "1"] });
    const queued = [1, 1, 1, 2, 0, 1].map((gpus) =>
      parts.queue({ ...script(gpus), parameters: { steps: 5, waitMs: 100 } }),
    );
    const ids = (await Promise.all(queued)).map(({ id }) => id);
    const jobs = await Promise.all(
      ids.map(async (id) => {
        const { startedAt = expect.fail(), endedAt = expect.fail() } = await ended(id);
        const [devices = expect.fail()] = await devicesOf(id);
        return { from: timestampMs(startedAt), to: timestampMs(endedAt), gpus: devices.split(",").filter(Boolean) };
      }),
    );
    expect(jobs.map(({ gpus }) => gpus.length).sort()).toEqual([0, 1, 1, 1, 1, 2]);
    for (const device of ["0", "1"]) {
      const users = jobs.filter(({ gpus }) => gpus.includes(device)).sort((a, b) => a.from - b.from);
      for (const [i, { from }] of users.entries()) expect(from).toBeGreaterThanOrEqual(users[i - 1]?.to ?? 0);
    }
  }, 120_000);

  it("of a worker that is killed are lent to the next attempt", async () => {
    await using _workers = startWorkers(parts, { holder: "trainer/one", workers: 2, gpus: ["7"] });
    const { id } = await parts.queue({ ...script(1), parameters: { steps: 20, waitMs: 100 } });
    await reached(id, 3);
    process.kill(workerPids()[0] ?? expect.fail(), "SIGKILL");
    expect(await ended(id)).toMatchObject({ state: JobState.SUCCEEDED, attempt: 2 });
    expect(await devicesOf(id)).toEqual(["7", "7"]);
  }, 120_000);
});

describe("a running job", () => {
  it("tells its step, its loss, how long it will take, its warnings and its report, and keeps what matters at its end", async () => {
    await using _workers = startWorkers(parts, { holder: "trainer/one", threads: 3 });
    const { id } = await parts.queue({ parameters: { steps: 30, waitMs: 200 } });
    await waitFor(async () => (await find(id)).remaining !== undefined, { timeoutMs: 60_000, what: "remaining time" });
    const running = await find(id);
    expect(running).toMatchObject({ state: JobState.RUNNING, steps: 30n, worker: "trainer/one" });
    expect(running.loss).toBeCloseTo(1 / Number(running.step), 9);
    expect(running.warnings).toEqual(["This is a count."]);
    expect(running.remaining && durationMs(running.remaining)).toBeLessThan(30_000);
    expect((await parts.reports.find(id))?.trainRows).toBeGreaterThan(0n);
    const done = await ended(id);
    expect(done).toMatchObject({ state: JobState.SUCCEEDED, step: 30n, steps: 30n, metrics: { from: 0, threads: 3 } });
    expect(done.loss).toBeCloseTo(1 / 30, 9);
    expect(done.remaining).toBeUndefined();
    expect((await parts.reports.find(id))?.trainRows).toBe(30n);
    const { lines, points } = await told(id);
    expect(lines).toHaveLength(31);
    expect(points.map((p) => Number(p.step))).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });

  it("that talks without end costs few transactions, is thinned, and is heard to its last point", async () => {
    await using _workers = startWorkers(parts, { holder: "trainer/one" });
    const commits = async () => {
      await systemClock.sleep(1500);
      const { rows } = await parts.store.pool.query(
        "select xact_commit::int as n from pg_stat_database where datname = current_database()",
      );
      return rows[0].n as number;
    };
    const before = await commits();
    const { id } = await parts.queue({ parameters: { steps: 300, waitMs: 5, perStep: 200 } });
    const done = await ended(id);
    expect(done.state).toBe(JobState.SUCCEEDED);
    const spent = (await commits()) - before;
    const { lines, points } = await told(id);
    expect(lines).toHaveLength(5001);
    expect(lines.at(-1)).toBe("After 5000 lines the log is cut off.");
    expect(points.length).toBeLessThanOrEqual(10_000);
    expect(points.length).toBeGreaterThan(900);
    expect(points.at(-1)).toMatchObject({ name: "loss", step: 59_999n });
    // 5001 lines and thousands of points; the relay, the leases and this test look at the database too.
    expect(spent).toBeLessThan(800);
  });

  it("that used up its time fails with a sentence, and its process is gone", async () => {
    await using _workers = startWorkers(parts, { holder: "trainer/one", longestSeconds: 3600 });
    const { id } = await parts.queue({ timeLimitSeconds: 2, parameters: { steps: 1000, waitMs: 100 } });
    const done = await ended(id);
    expect(done.state).toBe(JobState.FAILED);
    expect(done.stateReason).toMatch(/^The job ran longer than its limit of 2 s\./);
    expect(done.attempt).toBe(1);
    expect(workerPids()).toEqual([]);
  });

  it("that will not hear of stopping is stopped within two seconds", async () => {
    await using _workers = startWorkers(parts, { holder: "trainer/one" });
    const { id } = await parts.queue({ choices: { stubborn: "yes" }, parameters: { steps: 1000, waitMs: 100 } });
    await runs(id);
    await reached(id, 1);
    const startedAt = performance.now();
    await parts.jobs.cancel(id);
    expect((await ended(id)).state).toBe(JobState.CANCELLED);
    // Two seconds are promised; the rest is for a busy machine.
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(workerPids()).toEqual([]);
  });
});

describe("a worker that is killed", () => {
  it("has its job gone on with from its checkpoint by another trainer on another machine", async () => {
    const { id } = await parts.queue({ parameters: { steps: 40, waitMs: 200, checkpointBytes: 3_000_000 } });
    {
      await using _one = startWorkers(parts, { holder: "trainer/one" });
      await reached(id, 10);
      for (const pid of workerPids()) process.kill(pid, "SIGKILL");
      await waitFor(async () => (await find(id)).state === JobState.QUEUED, { timeoutMs: 60_000, intervalMs: 10 });
      expect((await find(id)).stateReason).toBe("The worker died (SIGKILL). It will be tried again.");
    }
    // It has connections and a disk of its own.
    await using elsewhere = await openJobs(database.url);
    await using _two = startWorkers(elsewhere, { holder: "trainer/two" });
    const done = await ended(id);
    expect(done).toMatchObject({ state: JobState.SUCCEEDED, attempt: 2, worker: "trainer/two" });
    expect(done.metrics.from).toBeGreaterThanOrEqual(5);
    const { lines } = await told(id);
    expect(lines).toContain(`counting from ${done.metrics.from}`);
  }, 120_000);

  it("again and again still ends, and each time it comes further", async () => {
    const { id } = await parts.queue({ parameters: { steps: 30, waitMs: 150, checkpointBytes: 100 } });
    await using _one = startWorkers(parts, { holder: "trainer/one" });
    await reached(id, 8);
    for (const pid of workerPids()) process.kill(pid, "SIGKILL");
    await waitFor(async () => (await find(id)).attempt === 2, { timeoutMs: 60_000 });
    await reached(id, 20);
    for (const pid of workerPids()) process.kill(pid, "SIGKILL");
    const done = await ended(id);
    expect(done).toMatchObject({ state: JobState.SUCCEEDED, attempt: 3 });
    expect(done.metrics.from).toBeGreaterThan(8);
  }, 120_000);
});

describe("a trainer that stops", () => {
  it("gives its job back with its checkpoint, which counts as no failure", async () => {
    const { id } = await parts.queue({ parameters: { steps: 30, waitMs: 150, checkpointBytes: 1000 } });
    for (const holder of ["one", "two", "three", "four"]) {
      await using _one = startWorkers(parts, { holder: `trainer/${holder}` });
      const { step } = await find(id);
      await waitFor(async () => (await find(id)).worker === `trainer/${holder}`, { timeoutMs: 60_000 });
      await reached(id, Number(step) + 3);
    }
    await using _last = startWorkers(parts, { holder: "trainer/last" });
    const done = await ended(id);
    expect(done).toMatchObject({ state: JobState.SUCCEEDED, attempt: 5 });
    expect(done.metrics.from).toBeGreaterThan(6);
  }, 120_000);
});

describe("a checkpoint of 64 MiB", () => {
  it("does not keep the lease from being renewed, and comes whole to the next attempt", async () => {
    const leases = parts.leasesOf("trainer/one");
    const renewals: number[] = [];
    const renew = leases.renew.bind(leases);
    leases.renew = (job: LeasedJob) => {
      renewals.push(performance.now());
      return renew(job);
    };
    const bytes = 64 * 1024 * 1024;
    const { id } = await parts.queue({ parameters: { steps: 20, waitMs: 400, checkpointBytes: bytes } });
    await using _one = startWorkers(parts, { holder: "trainer/one", leases });
    const stored = async () => ((await parts.checkpoints.find(id))?.bytes ?? 0) === bytes;
    await waitFor(stored, { timeoutMs: 60_000, what: "a checkpoint" });
    await reached(id, 8);
    for (const pid of workerPids()) process.kill(pid, "SIGKILL");
    const done = await ended(id);
    expect(done).toMatchObject({ state: JobState.SUCCEEDED, attempt: 2 });
    expect(done.metrics.from).toBeGreaterThan(0);
    const gaps = renewals.slice(1).map((at, i) => at - (renewals[i] ?? at));
    expect(Math.max(...gaps)).toBeLessThan(6000);
  }, 180_000);
});

describe("the folder of a job", () => {
  const jobFolders = (directory = parts.stateDirectory) => readdir(join(directory, "jobs")).catch(() => []);

  it("is for this user alone, and goes with the job however that ends", async () => {
    await using _workers = startWorkers(parts, { holder: "trainer/one" });
    const { id } = await parts.queue({ parameters: { steps: 1000, waitMs: 100 } });
    await runs(id);
    expect(await jobFolders()).toEqual([`${id}-1`]);
    expect((await stat(join(parts.stateDirectory, "jobs", `${id}-1`))).mode & 0o777).toBe(0o700);
    await parts.jobs.cancel(id);
    await ended(id);
    await waitFor(async () => (await jobFolders()).length === 0, { what: "no folder" });
  });

  it("that a trainer left when it was killed is swept, and that of a running job is not", async () => {
    await using _workers = startWorkers(parts, { holder: "trainer/one" });
    const { id } = await parts.queue({ parameters: { steps: 1000, waitMs: 100 } });
    await runs(id);
    const left = join(parts.stateDirectory, "jobs", `${id.replace(/^./, "f")}-2`);
    const early = join(parts.stateDirectory, "jobs", `${id}-7`);
    for (const folder of [left, early]) {
      await mkdir(join(folder, "work"), { recursive: true });
      await writeFile(join(folder, "work", "file"), "left");
    }
    await writeFile(join(parts.stateDirectory, "jobs", "notes.txt"), "somebody else's");
    expect(await parts.folders.sweep(parts.leasesOf("trainer/one"))).toBe(2);
    expect((await jobFolders()).sort()).toEqual([`${id}-1`, "notes.txt"].sort());
    await parts.jobs.cancel(id);
    await ended(id);
  });

  it("on a disk that is full fails the job with a sentence, at once", async () => {
    const full = new FullFolders(parts.stateDirectory, "work");
    await using _workers = startWorkers(parts, { holder: "trainer/one", folders: full });
    const { id } = await parts.queue({ choices: { fill: "yes" } });
    const done = await ended(id);
    expect(done).toMatchObject({ state: JobState.FAILED, attempt: 1 });
    expect(done.stateReason).toBe(
      "The trainer's disk is full: the job has no room for its files. Make room in its state directory, or train on less data.",
    );
  });

  it("without room for the checkpoint of an earlier attempt fails the job, not the trainer", async () => {
    const { id } = await parts.queue({ parameters: { steps: 20, waitMs: 200, checkpointBytes: 1000 } });
    {
      await using _one = startWorkers(parts, { holder: "trainer/one" });
      await reached(id, 3);
    }
    const full = new FullFolders(parts.stateDirectory, "checkpoints");
    await using _workers = startWorkers(parts, { holder: "trainer/two", folders: full });
    const done = await ended(id);
    expect(done.state).toBe(JobState.FAILED);
    expect(done.stateReason).toMatch(/^The trainer's disk is full/);
    const { id: next } = await parts.queue({ parameters: { steps: 2 } });
    expect((await ended(next)).state).toBe(JobState.SUCCEEDED);
  }, 120_000);
});

/** Folders in which the one file that matters is on a device without room. */
class FullFolders extends ScratchFolders {
  readonly #which: "work" | "checkpoints";

  constructor(directory: string, which: "work" | "checkpoints") {
    super(directory);
    this.#which = which;
  }

  override async make(job: { id: string; attempt: number }) {
    const folder = await super.make(job);
    await symlink("/dev/full", join(folder[this.#which], this.#which === "work" ? "big" : "checkpoint"));
    return folder;
  }
}

describe("a database that is killed", () => {
  it("in the middle of a job and again at its end loses no line, no point and no result", async () => {
    await using postgres = await startMortalPostgres();
    await using own = await openJobs(postgres.url);
    await using _workers = startWorkers(own, { holder: "trainer/one" });
    const { id } = await own.queue({ parameters: { steps: 60, waitMs: 100 } });
    await runs(id, own);
    await waitFor(async () => (await find(id, own)).step >= 10, { timeoutMs: 60_000 });
    await postgres.kill();
    await systemClock.sleep(2000);
    await postgres.revive();
    const later = async () => (await find(id, own)).step >= 40;
    await waitFor(later, { timeoutMs: 60_000, what: "step 40" });
    // The worker ends while there is no database, and for longer than a lease holds.
    await postgres.kill();
    await systemClock.sleep(10_000);
    await postgres.revive();
    await waitFor(async () => (await find(id, own)).state === JobState.SUCCEEDED, { timeoutMs: 60_000 });
    const done = await find(id, own);
    expect(done).toMatchObject({ attempt: 1, step: 60n });
    const { lines, points } = await told(id, own);
    expect(lines.slice(1)).toEqual(Array.from({ length: 60 }, (_, i) => `step ${i + 1}.0`));
    expect(points.map((p) => Number(p.step))).toEqual(Array.from({ length: 60 }, (_, i) => i));
  }, 150_000);
});
