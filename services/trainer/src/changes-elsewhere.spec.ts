import { Level } from "@aimass/api/auth";
import { Change, type Event, EventSchema, SignedEventSchema } from "@aimass/api/events";
import { JobState } from "@aimass/api/trainer";
import { systemClock } from "@aimass/core";
import { type EventBus, type EventInit, openEventBus } from "@aimass/events";
import { openStore, type Store } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import { waitFor } from "@aimass/testkit";
import { fromBinary } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planeCsv } from "./search/testing.ts";
import { failure, planeSpec, TrainerHarness, type TrainingClient } from "./testing/trainer-harness.ts";

let mesh: TrainerHarness;
let store: Store<unknown>;
let bus: EventBus;

beforeAll(async () => {
  mesh = await TrainerHarness.open();
  await mesh.begin();
  const { url: databaseUrl } = mesh.database;
  store = await openStore({ url: databaseUrl, schema: "registry", migrations: [] });
  const identity = await mesh.identity("registry");
  bus = await openEventBus({ identity, store, databaseUrl, clock: systemClock, telemetry: silentTelemetry() });
  for (const project of ["gone", "stays"]) mesh.auth.grant("user:mia", Level.MANAGE, [], project);
});
afterAll(async () => {
  await mesh.stopTrainers();
  await bus[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  await mesh.end();
  await mesh[Symbol.asyncDispose]();
});

/** The registry tells of a project, as it does when it is deleted or changed. */
const tell = (project: string, change: Change, atMs = Date.now()) =>
  store.withTransaction((tx) =>
    bus.publishFrom(tx, {
      occurredAt: timestampFromMs(atMs),
      payload: { case: "projectChanged", value: { project, change } },
    }),
  );

/** A service that does not own projects tells that one is deleted. */
async function lieOf(project: string): Promise<void> {
  const { url: databaseUrl } = mesh.database;
  await using own = await openStore({ url: databaseUrl, schema: "auth", migrations: [] });
  const identity = await mesh.identity("auth");
  await using speaker = await openEventBus({
    ...{ identity, store: own, databaseUrl, clock: systemClock, telemetry: silentTelemetry() },
  });
  const payload = { case: "projectChanged", value: { project, change: Change.DELETED } } as const;
  await own.withTransaction((tx) => speaker.publishFrom(tx, { payload }));
  const isTold = async () => (await told()).some(({ source }) => source === "auth");
  await waitFor(isTold, { timeoutMs: 60_000, what: "the lie on its way" });
}

/** A bound, a rule, a job that ended and one that goes on. */
async function fill(client: TrainingClient, project: string): Promise<string> {
  const spec = { ...planeSpec, project };
  await client.setQuota({ quota: { project, maxRunning: 1, maxQueued: 9 } });
  const rule = { project, name: "nightly", spec, every: durationFromMs(3_600_000) };
  await client.putRetraining({ retraining: rule });
  const { id: ended } = await mesh.create(client, spec);
  await client.cancelJob({ id: ended });
  return (await mesh.create(client, spec)).id;
}

async function contents(client: TrainingClient, project: string) {
  const [{ jobs }, { retrainings }, { quota }] = await Promise.all([
    client.listJobs({ project }),
    client.listRetrainings({ project }),
    client.getQuota({ project }),
  ]);
  return { jobs: jobs.length, rules: retrainings.length, maxQueued: quota?.maxQueued };
}

/** All events so far. */
async function told(): Promise<Event[]> {
  const pool = new pg.Pool({ connectionString: mesh.database.url });
  const { rows } = await pool.query("select payload from events.event order by id");
  await pool.end();
  return rows.map(({ payload }) => fromBinary(EventSchema, fromBinary(SignedEventSchema, payload).event));
}

/** Jobs of a project that the ledger is told were deleted, and by whom. */
async function deletedInLedger(project: string): Promise<string[]> {
  return (await told()).flatMap(({ actor, audited, payload: { case: kind, value } }) =>
    audited && kind === "jobChanged" && value.project === project ? [`${value.state} by ${actor}`] : [],
  );
}

describe("a project that is deleted", () => {
  it("leaves no jobs, rules and bounds to a later one of its name; what runs stops, and the ledger is told", async () => {
    const held = Promise.withResolvers<void>();
    mesh.registry.beforeChunk = () => held.promise;
    const { trainer } = await mesh.start();
    const mia = await mesh.clientOf(trainer, "user:mia");
    await waitFor(async () => (await mia.listJobs({ project: "gone" })).jobs.length === 0);
    const running = await fill(mia, "gone");
    await waitFor(async () => (await mia.getJob({ id: running })).job?.state === JobState.RUNNING, {
      timeoutMs: 60_000,
    });
    const watched = mesh.watch(mia, running);
    const next = await fill(mia, "stays");
    const all = { jobs: 2, rules: 1, maxQueued: 9 };
    await tell("gone", Change.UPDATED);
    await tell("stays", Change.UPDATED);
    await tell("gone", Change.DELETED);
    const none = { jobs: 0, rules: 0, maxQueued: 10_000 };
    await expect.poll(() => contents(mia, "gone"), { timeout: 60_000 }).toEqual(none);
    expect(await contents(mia, "stays")).toEqual(all);
    expect((await failure(mia.getJob({ id: running }))).code).toBe("NOT_FOUND");
    await watched;
    // The one worker is free for the next.
    const isNext = async () => (await mia.getJob({ id: next })).job?.state === JobState.RUNNING;
    await waitFor(isNext, { timeoutMs: 60_000, what: "the next job" });
    await expect
      .poll(() => deletedInLedger("gone"), { timeout: 60_000 })
      .toEqual(Array(2).fill("DELETED by service:trainer"));
    held.resolve();
  }, 120_000);

  it("takes nothing of a later one of its name, however late or often it is told", async () => {
    const { trainer } = await mesh.start({ workers: 0 });
    const mia = await mesh.clientOf(trainer, "user:mia");
    const deletedAt = Date.now() - 1000;
    await fill(mia, "gone");
    await tell("gone", Change.DELETED, deletedAt);
    await tell("gone", Change.DELETED, deletedAt);
    await lieOf("gone");
    await tell("stays", Change.DELETED);
    await expect.poll(() => contents(mia, "stays"), { timeout: 60_000 }).toMatchObject({ jobs: 0 });
    expect(await contents(mia, "gone")).toEqual({ jobs: 2, rules: 1, maxQueued: 9 });
  }, 120_000);
});

describe("a dataset that is deleted", () => {
  const name = { project: "data", dataset: "plane" };
  const tellOf = (payload: NonNullable<EventInit["payload"]>, atMs = Date.now()) =>
    store.withTransaction((tx) => bus.publishFrom(tx, { occurredAt: timestampFromMs(atMs), payload }));

  it("is the problem of its rules until it is there again", async () => {
    mesh.auth.grant("user:mia", Level.MANAGE, [], "data");
    mesh.registry.addDataset("other", planeCsv(30));
    const { trainer } = await mesh.start({ workers: 0 });
    const mia = await mesh.clientOf(trainer, "user:mia");
    const before = Date.now() - 60_000;
    const spec = { ...planeSpec, project: "data" };
    const rule = { project: "data", name: "nightly", spec, every: durationFromMs(3_600_000) };
    const other = { ...rule, name: "other", spec: { ...spec, dataset: "other" } };
    for (const retraining of [rule, other])
      await expect
        .poll(() => mia.putRetraining({ retraining }).then(() => "made", String), { timeout: 60_000 })
        .toBe("made");
    const problem = async (of = "nightly") =>
      (await mia.listRetrainings({ project: "data" })).retrainings.find((one) => one.name === of)?.lastError;
    await tellOf({ case: "datasetDeleted", value: name }, before);
    await tellOf({ case: "datasetDeleted", value: { ...name, version: 1n } });
    await tellOf({ case: "datasetDeleted", value: { ...name, dataset: "other" } });
    // Events are heard in their order.
    await expect.poll(() => problem("other"), { timeout: 60_000 }).toMatch(/^The dataset "other" was deleted/);
    expect(await problem()).toBe("");
    await tellOf({ case: "datasetDeleted", value: name });
    await expect.poll(() => problem(), { timeout: 60_000 }).toMatch(/^The dataset "plane" was deleted\. Push it again/);
    await tellOf({ case: "datasetCreated", value: { ...name, version: 1n } });
    await expect.poll(() => problem(), { timeout: 60_000 }).toBe("");
  }, 120_000);
});
