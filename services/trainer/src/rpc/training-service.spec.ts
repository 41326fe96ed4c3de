import { Level } from "@aimass/api/auth";
import { EventSchema, SignedEventSchema } from "@aimass/api/events";
import { JobState } from "@aimass/api/trainer";
import { waitFor } from "@aimass/testkit";
import { fromBinary } from "@bufbuild/protobuf";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { failure, planeSpec, type SpecInit, TrainerHarness } from "../testing/trainer-harness.ts";

let mesh: TrainerHarness;

beforeAll(async () => {
  mesh = await TrainerHarness.open();
});
beforeEach(() => mesh.begin());
afterEach(() => mesh.end());
afterAll(() => mesh[Symbol.asyncDispose]());

/** What the trainer told on the event bus and wants in the audit ledger. */
async function audited() {
  const pool = new pg.Pool({ connectionString: mesh.database.url });
  const waiting = await pool.query("select payload from trainer.outbox");
  const sent = await pool.query("select payload from events.event").catch(() => ({ rows: [] }));
  await pool.end();
  const signed = sent.rows.map(({ payload }) => fromBinary(SignedEventSchema, payload).event);
  const events = [...signed, ...waiting.rows.map(({ payload }) => payload)].map((bytes) =>
    fromBinary(EventSchema, bytes),
  );
  // One that is on its way is in both.
  return [...new Map(events.map((event) => [event.id, event])).values()].filter((event) => event.audited);
}

describe("quotas", () => {
  it("are seen by viewers, set by managers, kept in the audit ledger, and hold", async () => {
    const { trainer, client } = await mesh.start({ workers: 0, env: { AIMASS_TRAINER_PROJECT_QUEUED: "3" } });
    const [eve, mia] = [await mesh.clientOf(trainer, "user:eve"), await mesh.clientOf(trainer, "user:mia")];
    expect(await eve.getQuota({ project: "default" })).toMatchObject({ quota: { maxRunning: 0, maxQueued: 3 } });
    const quota = { project: "default", maxRunning: 1, maxQueued: 2 };
    expect((await failure(client.setQuota({ quota }))).code).toBe("PERMISSION_DENIED");
    expect((await failure(mia.setQuota({ quota: { ...quota, maxQueued: -1 } }))).field).toBe("quota.max_queued");
    expect((await mia.setQuota({ quota })).quota).toMatchObject(quota);
    await mesh.create(client);
    await mesh.create(client, {}, "twice");
    const full = await failure(mesh.create(client));
    expect(full).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "QUEUE_FULL" });
    // A repeat asks for nothing new.
    await mesh.create(client, {}, "twice");
    expect(await eve.getQuota({})).toMatchObject({ quota, running: 0, queued: 2 });
    const [event] = await audited();
    expect(event).toMatchObject({ actor: "user:mia", resource: "default", payload: { case: "projectChanged" } });
    expect(event?.payload.value).toMatchObject({ detail: "training quota: 1 running, 2 queued" });
  });
});

describe("what a job asks for beyond training", () => {
  it("needs the rights for it: a place before others, an alias, code of one's own", async () => {
    const { trainer, client } = await mesh.start({ workers: 0 });
    const [dan, mia] = [await mesh.clientOf(trainer, "user:dan"), await mesh.clientOf(trainer, "user:mia")];
    expect((await failure(mesh.create(client, { priority: 1 }))).message).toContain("may not project.manage");
    expect((await mesh.create(mia, { priority: 1 })).spec?.priority).toBe(1);
    expect((await mesh.create(client, { priority: -10 })).spec?.priority).toBe(-10);
    const high = await failure(mesh.create(mia, { priority: 101 }));
    expect(high).toMatchObject({ code: "INVALID_ARGUMENT", field: "spec.priority" });
    const denied = await failure(mesh.create(client, { alias: "live" }));
    expect(denied.message).toContain("may not alias.move on default.slope@live");
    expect((await mesh.create(dan, { alias: "live" })).spec?.alias).toBe("live");
    const script = { recipe: "", script: { command: ["true"] } };
    expect((await failure(mesh.create(mia, script))).message).toContain("may not code.run on default");
    expect((await failure(mesh.create(client, { timeLimitSeconds: 1e9 }))).field).toBe("spec.time_limit_seconds");
    expect(await audited()).toEqual([]);
  });

  it("is written to the audit ledger when it is code of one's own", async () => {
    const { trainer } = await mesh.start({ workers: 0, env: { AIMASS_SCRIPTS: "unsafe-process" } });
    const mia = await mesh.clientOf(trainer, "user:mia");
    mesh.auth.grant("user:mia", Level.MANAGE, ["code.run"]);
    let refused = true;
    while (refused)
      refused = await mesh.create(mia, { recipe: "", script: { command: ["true"] } }).then(
        () => false,
        () => true,
      );
    const events = await audited();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ actor: "user:mia", resource: "default.slope" });
    expect(events[0]?.payload).toMatchObject({ case: "jobChanged", value: { state: "QUEUED" } });
    mesh.auth.grant("user:mia", Level.MANAGE);
  }, 120_000);
});

describe("a job that is deleted", () => {
  it("has ended, is judged in a dry run, and goes with its log and report; the ledger keeps who did it", async () => {
    const { trainer, client } = await mesh.start({ workers: 0 });
    const eve = await mesh.clientOf(trainer, "user:eve");
    const { id } = await mesh.create(client, {}, "once");
    for (const validateOnly of [true, false])
      expect(await failure(client.deleteJob({ id, validateOnly }))).toMatchObject({
        code: "FAILED_PRECONDITION",
        reason: "JOB_NOT_ENDED",
      });
    await client.cancelJob({ id });
    expect((await client.deleteJob({ id, validateOnly: true })).job).toMatchObject({ id, state: JobState.CANCELLED });
    expect((await failure(eve.deleteJob({ id }))).code).toBe("PERMISSION_DENIED");
    expect((await client.getJob({ id })).job?.id).toBe(id);
    expect((await client.deleteJob({ id })).job?.id).toBe(id);
    for (const call of [client.getJob, client.getJobReport, client.cancelJob, client.deleteJob])
      expect((await failure(call({ id }))).code).toBe("NOT_FOUND");
    expect((await client.listJobs({})).jobs).toEqual([]);
    const [event] = await audited();
    expect(event).toMatchObject({ resource: "default.slope", payload: { value: { jobId: id, state: "DELETED" } } });
    expect((await mesh.create(client, {}, "once")).id).not.toBe(id);
  });
});

describe("rules and recipes", () => {
  it("are listed page by page, with tokens that are good for one list", async () => {
    const { trainer, client } = await mesh.start({ workers: 0 });
    const every = { seconds: 3600n, nanos: 0 };
    for (const name of ["c", "a", "b"])
      await client.putRetraining({ retraining: { project: "default", name, spec: planeSpec, every, paused: true } });
    const first = await client.listRetrainings({ page: { size: 2 } });
    const token = first.page?.nextToken ?? "";
    const rest = await client.listRetrainings({ page: { size: 5000, token } });
    expect([...first.retrainings, ...rest.retrainings].map(({ name }) => name)).toEqual(["a", "b", "c"]);
    expect(rest.page?.nextToken).toBe("");
    const eve = await mesh.clientOf(trainer, "user:eve");
    for (const strange of [
      () => eve.listRetrainings({ page: { token } }),
      () => client.listRetrainings({ project: "default", page: { token } }),
      () => client.listRecipes({ page: { token } }),
      () => client.listRetrainings({ page: { size: -1 } }),
    ])
      expect((await failure(strange())).code).toBe("INVALID_ARGUMENT");
    const all = (await client.listRecipes({})).recipes.map(({ name }) => name);
    const names: string[] = [];
    let next = "";
    do {
      const page = await client.listRecipes({ page: { size: 2, token: next } });
      names.push(...page.recipes.map(({ name }) => name));
      next = page.page?.nextToken ?? "";
    } while (next !== "");
    expect(names).toEqual(all);
    for (const name of ["a", "b", "c"]) await client.deleteRetraining({ name });
  });
});

describe("a job's report", () => {
  it("is there once the model was evaluated, and hidden from strangers", async () => {
    const { trainer, client } = await mesh.start();
    const { client: idle } = await mesh.start({ workers: 0 });
    const { id } = await mesh.create(client);
    const done = await mesh.ended(client, id);
    expect(done.state).toBe(JobState.SUCCEEDED);
    const { report } = await idle.getJobReport({ id });
    expect(report).toMatchObject({ task: "regression", trainRows: 240n, testRows: 60n });
    expect(report?.metrics.r2).toBe(done.metrics.r2);
    const nobody = await mesh.clientOf(trainer, "anonymous");
    expect((await failure(nobody.getJobReport({ id }))).message).toBe(`There is no job "${id}".`);
  });

  it("of a job that has not begun is not found, with a sentence", async () => {
    const { client } = await mesh.start({ workers: 0 });
    const { id } = await mesh.create(client);
    const missing = await failure(client.getJobReport({ id }));
    expect(missing).toMatchObject({ code: "NOT_FOUND", message: `Nothing is known yet of the model of job "${id}".` });
  });
});

describe("a job of a model that somebody may not see", () => {
  it("is not there for them, nor is a rule that trains it, and lists go on behind it", async () => {
    const { trainer, client } = await mesh.start({ workers: 0 });
    const [eve, mia] = [await mesh.clientOf(trainer, "user:eve"), await mesh.clientOf(trainer, "user:mia")];
    const open = [await mesh.create(client, { model: "open" }), await mesh.create(client, { model: "open" })];
    const secret = [await mesh.create(client, { model: "secret" }), await mesh.create(client, { model: "secret" })];
    const { id } = secret[0] ?? expect.fail();
    const every = { seconds: 3600n, nanos: 0 };
    const rule = { project: "default", name: "nightly", spec: { ...planeSpec, model: "secret" }, every };
    await client.putRetraining({ retraining: rule });
    expect((await eve.listJobs({})).jobs).toHaveLength(4);
    expect((await eve.listRetrainings({})).retrainings).toHaveLength(1);
    for (const subject of ["user:eve", "user:mia"]) mesh.auth.deny(subject, "default.secret");
    await waitFor(async () => (await eve.listJobs({})).jobs.length === 2 && (await mia.listJobs({})).jobs.length === 2);
    const first = await eve.listJobs({ page: { size: 1 } });
    const second = await eve.listJobs({ page: { size: 1, token: first.page?.nextToken ?? "" } });
    const shown = [...first.jobs, ...second.jobs].map((job) => job.id);
    expect(shown).toEqual(open.map((job) => job.id).toReversed());
    expect(second.page?.nextToken).toBe("");
    expect((await mia.listRetrainings({})).retrainings).toEqual([]);
    await mia.deleteRetraining({ name: "nightly" });
    const calls = [
      () => mia.getJob({ id }),
      () => mia.getJobReport({ id }),
      () => mia.cancelJob({ id }),
      () => mesh.watch(mia, id),
    ];
    for (const call of calls) {
      expect(await failure(call())).toMatchObject({ code: "NOT_FOUND", message: `There is no job "${id}".` });
    }
    for (const subject of ["user:eve", "user:mia"]) mesh.auth.deny(subject, "default.secret", false);
    await waitFor(async () => (await mia.listJobs({})).jobs.length === 4);
    expect((await mia.listRetrainings({})).retrainings).toHaveLength(1);
    expect((await mia.getJob({ id })).job?.state).toBe(JobState.QUEUED);
  });

  it("is trained on no dataset whose name is denied", async () => {
    const { client } = await mesh.start({ workers: 0 });
    mesh.auth.deny("user:ada", "default.plane");
    await waitFor(async () => (await failure(mesh.create(client))).code === "PERMISSION_DENIED");
    mesh.auth.deny("user:ada", "default.plane", false);
    await waitFor(async () => (await mesh.create(client)).id !== "");
  });
});

describe("watching", () => {
  it("tells points of curves in their place", async () => {
    const { client } = await mesh.start();
    const { id } = await mesh.create(client, {
      recipe: "gradient-boosting",
      features: ["a", "b"],
      parameters: { iterations: 20 },
    });
    const events = await mesh.watch(client, id);
    const points = events.flatMap(({ event }) => (event.case === "metric" ? [event.value] : []));
    expect(points.length).toBeGreaterThan(5);
    expect(points.every((p) => Number.isFinite(p.value) && p.name !== "")).toBe(true);
    const last = events.at(-1)?.event.value;
    expect(last).toMatchObject({ state: JobState.SUCCEEDED, worker: expect.stringMatching(/^trainer\//) });
  });
});

describe("the recipes", () => {
  it("hold the search over all of them", async () => {
    const { client } = await mesh.start({ workers: 0 });
    const { recipes } = await client.listRecipes({});
    expect(recipes.find((r) => r.name === "auto")?.tasks).toEqual(["regression", "classification"]);
  });
});

describe("a job that is only to be checked", () => {
  it("is refused as a real one, and otherwise shown as it would be, without being queued", async () => {
    const { client } = await mesh.start({ workers: 0 });
    const checked = (change: SpecInit) => client.createJob({ spec: { ...planeSpec, ...change }, validateOnly: true });
    const wrong = [
      { dataset: "nosuch" },
      { target: "nocol" },
      { recipe: "gradient-bosting" },
      { parameters: { foo: 3 } },
    ];
    for (const change of [...wrong, { gate: { metric: "acuracy", bound: 2 } }, { alias: "live" }]) {
      const real = await failure(mesh.create(client, change));
      expect(await failure(checked(change))).toMatchObject({
        code: real.code,
        field: real.field,
        message: real.message,
      });
    }
    const { job } = await checked({});
    expect(job).toMatchObject({ id: "", spec: { datasetVersion: 1n, task: "regression", features: ["a", "b"] } });
    expect((await client.listJobs({})).jobs).toEqual([]);
  });

  it("is refused when it is to be better than an alias that the model, which has versions, does not have", async () => {
    const { client } = await mesh.start();
    const gate = { metric: "r2", betterThan: "deafult" };
    const none = await mesh.create(client, { gate });
    expect(await mesh.ended(client, none.id)).toMatchObject({ modelVersion: 1n });
    for (const alias of ["", "default"]) {
      const slip = await failure(mesh.create(client, { gate, alias }));
      if (alias === "") expect(slip).toMatchObject({ code: "FAILED_PRECONDITION", field: "spec.gate.better_than" });
      expect(slip.message).toMatch(alias === "" ? /no alias "deafult" to be better than/ : /alias/);
    }
  });
});
