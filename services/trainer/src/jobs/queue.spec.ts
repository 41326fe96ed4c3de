import { JobState } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { createTestDatabase, type TestDatabase, waitFor } from "@aimass/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Jobs, openJobs } from "../testing/job-fixture.ts";
import type { JobBatch } from "./job-batch.ts";
import type { JobLeases, LeasedJob } from "./job-leases.ts";
import { nextJob } from "./next-job.ts";

let database: TestDatabase;
let parts: Jobs;
let leases: JobLeases;

beforeAll(async () => {
  database = await createTestDatabase();
  parts = await openJobs(database.url);
  leases = parts.leasesOf("trainer/one");
});

beforeEach(async () => {
  await parts.store.pool.query("truncate job, turn, quota, trainer cascade");
});

afterAll(async () => {
  await parts[Symbol.asyncDispose]();
  await database.drop();
});

const queue = (project: string, priority = 0) => parts.queue({ project, priority });
const take = async (by = leases): Promise<LeasedJob> => (await by.take()) ?? expect.fail("nothing to take");
const end = (job: LeasedJob, by = leases) =>
  by.succeeded(job, { metrics: {}, modelVersion: 1n, reason: "", aliasMoved: false });

/** Takes and ends jobs one after the other; the projects they were of. */
async function drain(): Promise<string> {
  const projects: string[] = [];
  for (let job = await leases.take(); job !== undefined; job = await leases.take()) {
    projects.push(job.spec.project);
    await end(job);
  }
  return projects.join("");
}

const batch = (number: number, change: Partial<JobBatch> = {}): JobBatch => ({
  number,
  started: false,
  progress: undefined,
  warnings: [],
  news: [],
  report: undefined,
  ...change,
});

describe("the queue", () => {
  it("is in order of priority, then of arrival", async () => {
    const [low, first, second, high] = [
      await queue("a", -5),
      await queue("a"),
      await queue("a"),
      await queue("b", 7),
    ].map((job) => job.id);
    const taken = [await take(), await take(), await take(), await take()].map((job) => job.id);
    expect(taken).toEqual([high, first, second, low]);
    expect(await leases.take()).toBeUndefined();
  });

  it("gives each project its turn, however many jobs another has queued before", async () => {
    for (let i = 0; i < 6; i++) await queue("a");
    await queue("b");
    await queue("b");
    await queue("c");
    expect(await drain()).toBe("abcabaaaa");
  });

  it("takes the project with the fewest running first", async () => {
    for (let i = 0; i < 4; i++) await queue("a");
    const running = [await take(), await take(), await take()];
    for (let i = 0; i < 4; i++) await queue("b");
    const next = [await take(), await take(), await take()].map((job) => job.spec.project);
    expect(next).toEqual(["b", "b", "b"]);
    for (const job of running) await end(job);
    expect((await take()).spec.project).toBe("a");
  });

  it("holds the bound of running jobs over all trainers, whoever is quicker", async () => {
    await parts.quotas.set("a", { maxRunning: 3, maxQueued: 0 }, { actor: "user:ada", traceparent: "" });
    for (let i = 0; i < 10; i++) await queue("a");
    await queue("b");
    const trainers = ["one", "two", "three", "four"].map((name) => parts.leasesOf(`trainer/${name}`));
    const taken = await Promise.all(trainers.flatMap((by) => [by.take(), by.take(), by.take()]));
    const projects = taken.flatMap((job) => (job === undefined ? [] : [job.spec.project])).sort();
    expect(projects).toEqual(["a", "a", "a", "b"]);
    expect(await parts.quotas.usage("a")).toEqual({ running: 3, queued: 7 });
    const one = taken.find((job) => job?.spec.project === "a") ?? expect.fail();
    await end(one, parts.leasesOf(one.holder));
    expect((await take()).spec.project).toBe("a");
    expect(await leases.take()).toBeUndefined();
  });

  it("refuses what is more than a project may queue, however many ask at once", async () => {
    await parts.quotas.set("a", { maxRunning: 0, maxQueued: 5 }, { actor: "user:ada", traceparent: "" });
    const asked = await Promise.allSettled(Array.from({ length: 12 }, () => queue("a")));
    const refused = asked.flatMap((answer) => (answer.status === "rejected" ? [answer.reason as AimassError] : []));
    expect(refused).toHaveLength(7);
    for (const error of refused) expect(error).toBeInstanceOf(AimassError);
    expect(refused[0]).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "QUEUE_FULL" });
    expect(refused[0]?.message).toBe('5 jobs of the project "a" wait already.');
    expect((await queue("b")).state).toBe(JobState.QUEUED);
  });

  it("passes over jobs that wait after a failure, and over a project's bound where the trainer sets one for all", async () => {
    const { id } = await queue("a");
    await leases.broke(await take(), "It broke.");
    expect(await leases.take()).toBeUndefined();
    await parts.store.pool.query("update job set runnable_at = clock_timestamp()");
    expect(await take()).toMatchObject({ id, attempt: 2 });
    await using bound = await openJobs(database.url, { maxRunning: 1, maxQueued: 0 });
    await queue("a");
    expect(await bound.leasesOf("trainer/bound").take()).toBeUndefined();
  });

  it.each([0, 1])(
    "of a hundred thousand jobs for %i devices is not read through to take one",
    async (gpus) => {
      await parts.queue({ project: "a" });
      await parts.store.pool.query(
        `insert into job (id, project, spec, state, created_by, priority, gpus)
      select 'many-' || i, 'p' || i % 20, job.spec, 'QUEUED', 'user:ada', $1, $1 from job, generate_series(1, 100000) i`,
        [gpus],
      );
      await parts.store.pool.query("vacuum analyze job");
      const read = await parts.store.withTransaction(async (tx) => {
        const job = await nextJob(tx, { defaults: { maxRunning: 0, maxQueued: 0 }, gpus: { free: 0, total: 2 } });
        expect(job?.gpus).toBe(0);
        const { rows } = await sql<{ read: number }>`
        select sum(pg_stat_get_xact_tuples_returned(id))::int as read
        from (select 'job'::regclass as id union all select indexrelid from pg_index where indrelid = 'job'::regclass) t
      `.execute(tx);
        return rows[0]?.read ?? expect.fail();
      });
      // It looks at the head of each of 21 queues.
      expect(read).toBeGreaterThan(20);
      expect(read).toBeLessThan(500);
    },
    60_000,
  );
});

describe("a job that asks for devices", () => {
  const queueFor = (gpus: number, project = "a") =>
    parts.queue({ project, script: { command: ["x"], limits: { gpus } } });
  const takeWith = async (free: number, total = 2, by = leases) => (await by.take({ free, total }))?.id;

  it("waits until so many are free, and is taken before what came later", async () => {
    const { id } = await queueFor(2);
    expect(await takeWith(0)).toBeUndefined();
    expect(await takeWith(1)).toBeUndefined();
    await queueFor(1);
    expect(await takeWith(2)).toBe(id);
  });

  it("lets jobs without devices go past, of its project and of others, and none that takes a device away", async () => {
    const large = await queueFor(2);
    const small = await queueFor(1);
    const plain = [await queueFor(0), await queueFor(0, "b")];
    expect([await takeWith(1), await takeWith(1)]).toEqual(plain.map(({ id }) => id));
    expect(await takeWith(1)).toBeUndefined();
    expect(await takeWith(2)).toBe(large.id);
    expect(await takeWith(1)).toBe(small.id);
  });

  it("is taken by another trainer where enough are free", async () => {
    const { id } = await queueFor(1);
    expect(await takeWith(0)).toBeUndefined();
    expect(await takeWith(1, 1, parts.leasesOf("trainer/two"))).toBe(id);
  });

  it("is taken, to fail, where it asks for more than any trainer has", async () => {
    const { id } = await queueFor(3);
    expect(await takeWith(1)).toBe(id);
  });

  it("is left to a trainer that has enough, which is reckoned with for a minute; what is smaller goes past it", async () => {
    await parts.trainers.announce("trainer/large", 4);
    await parts.trainers.announce("trainer/one", 1);
    const large = await queueFor(4);
    const [one, plain] = [await queueFor(1), await queueFor(0)];
    expect([await takeWith(1, 1), await takeWith(0, 1), await takeWith(0, 1)]).toEqual([one.id, plain.id, undefined]);
    const seen = (secondsAgo: number) =>
      parts.store.pool.query(
        "update trainer set seen_at = clock_timestamp() - $1 * interval '1 second' where holder = 'trainer/large'",
        [secondsAgo],
      );
    await seen(50);
    expect(await takeWith(1, 1)).toBeUndefined();
    await seen(61);
    expect(await takeWith(1, 1)).toBe(large.id);
  });
});

describe("what an attempt tells", () => {
  it("has no number for a metric that could not be told", async () => {
    const { id } = await queue("a");
    await leases.failed(await take(), "It diverged.", { log_loss: Number.NaN, rmse: Number.POSITIVE_INFINITY, mae: 2 });
    expect(await parts.jobs.find(id)).toMatchObject({ state: JobState.FAILED });
    expect((await parts.jobs.find(id))?.metrics).toEqual({ mae: 2 });
  });

  it("is stored once, though it comes twice", async () => {
    const { id } = await queue("a");
    const job = await take();
    const line = { kind: "log", line: "one" } as const;
    const told = batch(1, { started: true, warnings: ["careful"], news: [line] });
    expect(await leases.tell(job, told)).toBe(true);
    expect(await leases.tell(job, told)).toBe(true);
    expect(await leases.tell(job, batch(2, { news: [{ ...line, line: "two" }] }))).toBe(true);
    const { rows } = await parts.store.pool.query(
      "select log_line from job_event where job_id = $1 and log_line is not null order by sequence",
      [id],
    );
    expect(rows.map((row) => row.log_line)).toEqual(["one", "two"]);
    expect(await parts.jobs.find(id)).toMatchObject({ state: JobState.RUNNING, warnings: ["careful"] });
  });

  it("is refused once another attempt has begun: lines, reports, checkpoints and ends", async () => {
    const { id } = await queue("a");
    const late = await take();
    await parts.store.pool.query("update job set lease_expires_at = clock_timestamp() - interval '1 second'");
    // After its start the database gives holders the time of a lease to be heard again.
    const reclaimed = async () => (await parts.leasesOf("trainer/two").reclaim()) === 1;
    await waitFor(reclaimed, { timeoutMs: 60_000, what: "the job back in the queue" });
    await parts.store.pool.query("update job set runnable_at = clock_timestamp()");
    const two = parts.leasesOf("trainer/two");
    const job = await take(two);
    expect(job.attempt).toBe(2);
    const state = async function* () {
      yield Buffer.from("late");
    };
    expect(await leases.tell(late, batch(1, { started: true, news: [{ kind: "log", line: "late" }] }))).toBe(false);
    expect(await parts.checkpoints.keep(late, 4, state())).toBe(false);
    expect(await leases.renew(late)).toBe("lost");
    expect(await end(late)).toBe(false);
    expect(await parts.checkpoints.find(id)).toBeUndefined();
    expect(await end(job, two)).toBe(true);
  });

  it("leaves no checkpoint behind when the job ends, and none of a holder that is gone", async () => {
    const { id } = await queue("a");
    const job = await take();
    const state = async function* (text: string) {
      yield Buffer.from(text);
      yield Buffer.from("!");
    };
    expect(await parts.checkpoints.keep(job, 6, state("first"))).toBe(true);
    expect(await parts.checkpoints.keep(job, 7, state("second"))).toBe(true);
    const found = (await parts.checkpoints.find(id)) ?? expect.fail();
    const bytes: Uint8Array[] = [];
    for await (const part of found.parts) bytes.push(part);
    expect(Buffer.concat(bytes).toString()).toBe("second!");
    // Half stored by a trainer that died.
    await parts.store.pool.query("insert into job_checkpoint (job_id, attempt, bytes) values ($1, 0, 9)", [id]);
    await parts.checkpoints.sweep();
    const count = async () => (await parts.store.pool.query("select 1 from job_checkpoint")).rowCount;
    expect(await count()).toBe(1);
    await end(job);
    expect(await count()).toBe(0);
    expect((await parts.store.pool.query("select 1 from job_checkpoint_part")).rowCount).toBe(0);
  });
});
