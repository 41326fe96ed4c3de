import { createTestDatabase, type TestDatabase } from "@aimass/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Jobs, openJobs } from "../testing/job-fixture.ts";
import { trimJobs } from "./housekeeping.ts";
import { JobFeed } from "./job-feed.ts";

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

/** A job with a log, a curve and a report that ended so many days ago. */
async function endedJob(days: number): Promise<string> {
  const leases = parts.leasesOf("trainer/one");
  const { id } = await parts.queue();
  const job = (await leases.take()) ?? expect.fail();
  await leases.tell(job, {
    number: 1,
    started: true,
    progress: { fraction: 0.5, doing: "training", step: undefined, remainingMs: undefined },
    warnings: ["careful"],
    news: [
      { kind: "log", line: "a line" },
      { kind: "metric", name: "loss", step: 1, value: 2 },
    ],
    report: new Uint8Array(),
  });
  await leases.succeeded(job, { metrics: { r2: 1 }, modelVersion: 1n, reason: "Done.", aliasMoved: false });
  await parts.store.pool.query("update job set ended_at = ended_at - $2 * interval '1 day' where id = $1", [id, days]);
  return id;
}

async function kinds(id: string): Promise<string[]> {
  using feed = await JobFeed.open(parts.store);
  const found: string[] = [];
  for await (const { event } of feed.watch(id, 0n, new AbortController().signal)) found.push(event.case ?? "");
  return found;
}

describe("logs and curves", () => {
  it("of jobs that ended long ago go; the jobs, their reports and their ends stay", async () => {
    const [old, fresh] = [await endedJob(91), await endedJob(89)];
    const { id: waiting } = await parts.queue();
    const { signal } = new AbortController();
    const options = { store: parts.store, keepLogDays: 90, signal };
    expect(await trimJobs(options)).toBe(1);
    expect(await trimJobs(options)).toBe(0);
    expect(await kinds(old)).toEqual(["job"]);
    expect(await kinds(fresh)).toEqual(expect.arrayContaining(["logLine", "metric", "job"]));
    expect(await parts.jobs.find(old)).toMatchObject({ metrics: { r2: 1 }, warnings: ["careful"] });
    expect(await parts.reports.find(old)).toBeDefined();
    expect((await parts.jobs.find(waiting))?.state).toBeDefined();
  });

  it("of more jobs than fit into one statement all go", async () => {
    await parts.store.pool.query(`
      insert into job (id, project, spec, state, created_by, ended_at)
      select 'old-' || i, 'default', '', 'FAILED', 'user:ada', clock_timestamp() - interval '1 year' from generate_series(1, 250) i`);
    const { signal } = new AbortController();
    expect(await trimJobs({ store: parts.store, keepLogDays: 90, signal })).toBe(250);
  });
});
