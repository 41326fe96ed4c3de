import { JobSpecSchema } from "@aimass/api/trainer";
import { systemClock } from "@aimass/core";
import { waitFor } from "@aimass/testkit";
import { toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TrainingData } from "../data/training-data.ts";
import { withJob } from "../testing/job-work.ts";
import { planeCsv } from "./testing.ts";
import type { TrialRun } from "./trial.ts";
import type { TrialSetup } from "./trial-message.ts";
import { shapePool, TrialPool } from "./trial-pool.ts";

describe("how trials share the machine", () => {
  it.each([
    { wish: { parallel: 0, threads: 4, memoryMb: 1024, rowBytes: 0 }, processes: 4, threads: 1 },
    { wish: { parallel: 2, threads: 8, memoryMb: 1024, rowBytes: 0 }, processes: 2, threads: 4 },
    { wish: { parallel: 8, threads: 2, memoryMb: 2048, rowBytes: 0 }, processes: 8, threads: 1 },
    { wish: { parallel: 0, threads: 16, memoryMb: 512, rowBytes: 0 }, processes: 4, threads: 4 },
    { wish: { parallel: 0, threads: 4, memoryMb: 1024, rowBytes: 150 * 2 ** 20 }, processes: 2, threads: 2 },
    { wish: { parallel: 4, threads: 4, memoryMb: 1024, rowBytes: 2 ** 40 }, processes: 1, threads: 4 },
  ])("$processes processes of $threads threads for $wish", ({ wish, processes, threads }) => {
    const shape = shapePool(wish);
    expect(shape).toMatchObject({ processes, threads });
    expect(shape.processes * (shape.memoryMb - 160)).toBeLessThanOrEqual(Math.max(128, wish.memoryMb));
  });
});

let setup: TrialSetup;
const over = Promise.withResolvers<void>();
let job: Promise<void>;

beforeAll(async () => {
  const opened = Promise.withResolvers<TrialSetup>();
  const spec = { recipe: "ridge", target: "y" };
  job = withJob({ bytes: planeCsv(3000), spec }, async (work) => {
    await using data = await TrainingData.open(work);
    const folds = await data.folds(3);
    opened.resolve({
      path: data.path,
      facts: data.facts,
      folds,
      spec: toBinary(JobSpecSchema, work.spec),
      metric: "r2",
      directory: work.directory,
      threads: 1,
      memoryBytes: 2 ** 28,
    });
    await over.promise;
  });
  job.catch(opened.reject);
  setup = await opened.promise;
}, 120_000);

afterAll(async () => {
  over.resolve();
  await job;
});

const runOf = (recipe: string, parameters: Record<string, number> = {}, rowsShare = 1): TrialRun => ({
  trial: { number: 1, recipe, given: { parameters, choices: {} } },
  rowsShare,
});
const never = new AbortController().signal;
/** A trial that takes minutes. */
const endless = runOf("random-forest", { trees: 10_000 });
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe("trials in processes of their own", { timeout: 180_000 }, () => {
  it("score every fold, the same in every process", async () => {
    await using pool = new TrialPool(setup, { memoryMb: 512, clock: systemClock });
    const folds: number[] = [];
    const one = pool.score(runOf("ridge", { l2: 1e-3 }), never, (done) => folds.push(done));
    const [a, b, bad] = await Promise.all([
      one,
      pool.score(runOf("ridge", { l2: 1e-3 }), never),
      pool.score(runOf("ridge", { l2: 1e5 }), never),
    ]);
    expect(folds).toEqual([1, 2, 3]);
    expect(a).toEqual(b);
    if (a.kind !== "scored" || bad.kind !== "scored") expect.fail(JSON.stringify([a, bad]));
    expect(a.score).toBeGreaterThan(0.98);
    expect(a.deviation).toBeGreaterThan(0);
    expect(bad.score).toBeLessThan(0.5);
    expect(pool.pids).toHaveLength(3);
    expect(await pool.score(runOf("ridge", { l2: 1e-3 }), never)).toEqual(a);
    expect(pool.pids).toHaveLength(3);
  });

  it("see fewer rows when halving says so", async () => {
    await using pool = new TrialPool(setup, { memoryMb: 512, clock: systemClock });
    const [few, all] = await Promise.all([
      pool.score(runOf("gradient-boosting", {}, 1 / 9), never),
      pool.score(runOf("gradient-boosting"), never),
    ]);
    if (few.kind !== "scored" || all.kind !== "scored") expect.fail(JSON.stringify([few, all]));
    expect(few.score).toBeLessThan(all.score);
  });

  it("fail with what was wrong, and the next one runs", async () => {
    await using pool = new TrialPool(setup, { memoryMb: 512, clock: systemClock });
    const outcome = await pool.score(runOf("ridge", { l2: -1 }), never);
    expect(outcome).toMatchObject({ kind: "failed", reason: expect.stringContaining('"l2"') });
    expect((await pool.score(runOf("ridge"), never)).kind).toBe("scored");
  });

  it("that are killed fail alone, and the next one gets a new process", async () => {
    await using pool = new TrialPool(setup, { memoryMb: 512, clock: systemClock });
    const killed = pool.score(endless, never);
    const [pid = expect.fail()] = pool.pids;
    setTimeout(() => process.kill(pid, "SIGKILL"), 500);
    expect(await killed).toEqual({ kind: "failed", reason: "The trial's process ended by SIGKILL." });
    expect((await pool.score(runOf("ridge"), never)).kind).toBe("scored");
    expect(pool.pids).not.toContain(pid);
  });

  it("that take too much memory fail with the limit in the reason", async () => {
    await using pool = new TrialPool(setup, { memoryMb: 64, clock: systemClock });
    expect(await pool.score(endless, never)).toEqual({
      kind: "failed",
      reason: "The trial needed more than 64 MiB of memory.",
    });
  });

  it("end within two seconds when the job is cancelled", async () => {
    await using pool = new TrialPool(setup, { memoryMb: 512, clock: systemClock });
    const cancel = new AbortController();
    const running = pool.score(endless, cancel.signal);
    const [pid = expect.fail()] = pool.pids;
    await systemClock.sleep(500);
    const startedAt = performance.now();
    cancel.abort(new Error("Cancelled."));
    await expect(running).rejects.toThrow("Cancelled.");
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(isAlive(pid)).toBe(false);
  });

  it("are all gone when the search is over", async () => {
    const pool = new TrialPool(setup, { memoryMb: 512, clock: systemClock });
    void pool.score(endless, never);
    await pool.score(runOf("ridge"), never);
    const { pids } = pool;
    expect(pids).toHaveLength(2);
    await pool[Symbol.asyncDispose]();
    await waitFor(() => pids.every((pid) => !isAlive(pid)), { what: "ended processes" });
  });
});
