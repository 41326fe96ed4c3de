import { Level } from "@aimass/api/auth";
import { Change } from "@aimass/api/events";
import { type Job, JobState, type Retraining, type RetrainingSchema } from "@aimass/api/trainer";
import { systemClock } from "@aimass/core";
import { type EventBus, openEventBus } from "@aimass/events";
import { openStore, type Store } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import { describeWith, type MortalServer, startNats, waitFor } from "@aimass/testkit";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { failure, planeCsv, planeSpec, TrainerHarness, type TrainingClient } from "../testing/trainer-harness.ts";

let mesh: TrainerHarness;
let pool: pg.Pool;

beforeAll(async () => {
  mesh = await TrainerHarness.open();
});
beforeEach(async () => {
  await mesh.begin();
  pool = new pg.Pool({ connectionString: mesh.database.url });
});
afterEach(async () => {
  await pool.end();
  await mesh.end();
});
afterAll(() => mesh[Symbol.asyncDispose]());

type RuleInit = Exclude<MessageInitShape<typeof RetrainingSchema>, { $typeName: string }>;
const minute = 60_000;

async function put(client: TrainingClient, change: RuleInit = {}): Promise<Retraining> {
  const wanted = { project: "default", name: "nightly", spec: planeSpec, every: durationFromMs(minute), ...change };
  return (await client.putRetraining({ retraining: wanted })).retraining ?? expect.fail();
}

async function rule(client: TrainingClient): Promise<Retraining> {
  return (await client.listRetrainings({})).retrainings[0] ?? expect.fail();
}

const jobs = async (client: TrainingClient): Promise<Job[]> => (await client.listJobs({})).jobs;
/** Trainers hear of it at once, as of every change of a rule. */
async function comeDue(by = "1 second"): Promise<void> {
  await pool.query("update trainer.retraining set next_at = clock_timestamp() - $1::interval", [by]);
  await pool.query("notify trainer_retraining");
}

describe("a rule", () => {
  it("is made, replaced, listed and deleted by those who may make its jobs", async () => {
    const { trainer, client } = await mesh.start({ workers: 0 });
    const made = await put(client, { spec: { ...planeSpec, project: "" } });
    expect(made).toMatchObject({ createdBy: "user:ada", spec: { project: "default", datasetVersion: 0n } });
    const first = timestampMs(made.nextAt ?? expect.fail());
    expect(first - Date.now()).toBeGreaterThan(minute - 10_000);
    // The same rhythm goes on, a new one starts over.
    expect((await put(client, { onNewData: true })).nextAt).toEqual(made.nextAt);
    expect(
      timestampMs((await put(client, { every: durationFromMs(60 * minute) })).nextAt ?? expect.fail()),
    ).toBeGreaterThan(first);
    expect((await put(client, { paused: true })).nextAt).toBeUndefined();
    const eve = await mesh.clientOf(trainer, "user:eve");
    expect((await eve.listRetrainings({})).retrainings).toHaveLength(1);
    expect((await failure(put(eve))).code).toBe("PERMISSION_DENIED");
    expect((await failure(eve.deleteRetraining({ project: "default", name: "nightly" }))).code).toBe(
      "PERMISSION_DENIED",
    );
    const nobody = await mesh.clientOf(trainer, "anonymous");
    expect((await nobody.listRetrainings({})).retrainings).toEqual([]);
    await client.deleteRetraining({ project: "default", name: "nightly" });
    await client.deleteRetraining({ project: "default", name: "nightly" });
    expect((await client.listRetrainings({})).retrainings).toEqual([]);
  });

  it("that could never train is refused with its field", async () => {
    const { client } = await mesh.start({ workers: 0 });
    const refused = async (change: RuleInit) => (await failure(put(client, change))).field;
    expect(await refused({ every: durationFromMs(59_000) })).toBe("retraining.every");
    expect(await refused({ name: "a b" })).toBe("retraining.name");
    expect(await refused({ spec: { ...planeSpec, datasetVersion: 1n } })).toBe("retraining.spec.dataset_version");
    expect(await refused({ spec: { ...planeSpec, project: "other" } })).toBe("retraining.spec.project");
    expect(await refused({ spec: { ...planeSpec, target: "missing" } })).toBe("spec.target");
    const never = { project: "default", name: "never", spec: planeSpec };
    expect((await failure(client.putRetraining({ retraining: never }))).message).toBe("The rule never begins a job.");
    expect((await failure(put(client, { spec: { ...planeSpec, alias: "live" } }))).code).toBe("PERMISSION_DENIED");
  });
});

describe("by time", () => {
  it("one job begins in the author's name, though several trainers look, and the next time is ahead", async () => {
    const { client } = await mesh.start({ workers: 0 });
    await mesh.start({ workers: 0 });
    await mesh.start({ workers: 0 });
    await put(client);
    await systemClock.sleep(1500);
    expect(await jobs(client)).toEqual([]);
    // Ten times passed while nobody ran.
    await comeDue("601 seconds");
    await waitFor(async () => (await jobs(client)).length > 0, { timeoutMs: 60_000, what: "a job" });
    await systemClock.sleep(2500);
    const [job, ...more] = await jobs(client);
    expect(more).toEqual([]);
    expect(job).toMatchObject({ createdBy: "user:ada", retraining: "nightly", spec: { datasetVersion: 1n } });
    const after = await rule(client);
    expect(after).toMatchObject({ lastJobId: job?.id, lastError: "" });
    const inMs = timestampMs(after.nextAt ?? expect.fail()) - Date.now();
    expect(inMs).toBeGreaterThan(0);
    expect(inMs).toBeLessThanOrEqual(minute);
  }, 120_000);

  it("a right that was taken away says so and begins nothing, and a right that is back begins again", async () => {
    const { client } = await mesh.start({ workers: 0 });
    await put(client);
    mesh.auth.grant("user:ada", Level.VIEW);
    await systemClock.sleep(1500);
    await comeDue();
    await waitFor(async () => (await rule(client)).lastError !== "", { timeoutMs: 60_000, what: "an error" });
    expect((await rule(client)).lastError).toContain("user:ada may not job.create on default");
    expect(await jobs(client)).toEqual([]);
    mesh.auth.grant("user:ada", Level.EDIT);
    await systemClock.sleep(1500);
    await comeDue();
    await waitFor(async () => (await jobs(client)).length === 1, { timeoutMs: 60_000, what: "a job" });
    await waitFor(async () => (await rule(client)).lastError === "", { timeoutMs: 5000 });
  }, 120_000);

  it("a paused rule does nothing", async () => {
    const { client } = await mesh.start({ workers: 0 });
    await put(client, { paused: true });
    await comeDue();
    await systemClock.sleep(2500);
    expect(await jobs(client)).toEqual([]);
  });
});

describe("a rule whose author is deleted", () => {
  it("is paused and says so, so that somebody of the same name later does not train by it", async () => {
    const { trainer, client } = await mesh.start({ workers: 0 });
    await put(client);
    await put(client, { name: "of-another", paused: true });
    const { url: databaseUrl } = mesh.database;
    await using store = await openStore({ url: databaseUrl, schema: "auth", migrations: [] });
    const identity = await mesh.identity("auth");
    await using bus = await openEventBus({
      ...{ identity, store, databaseUrl, clock: systemClock, telemetry: silentTelemetry(), natsUrl: undefined },
    });
    const tell = (principal: string, change: Change) =>
      store.withTransaction((tx) =>
        bus.publishFrom(tx, { payload: { case: "principalChanged", value: { principal, change } } }),
      );
    await tell("user:ada", Change.UPDATED);
    await tell("user:eve", Change.DELETED);
    await tell("user:ada", Change.DELETED);
    await waitFor(async () => (await rule(client)).paused, { timeoutMs: 60_000, what: "the pause" });
    expect((await rule(client)).lastError).toMatch(/^Its author, user:ada, was deleted\./);
    await comeDue();
    await systemClock.sleep(1500);
    expect(await jobs(await mesh.clientOf(trainer, "user:ada"))).toEqual([]);

    // Told again, late: of what was set since, nothing stops.
    const deletedAt = timestampFromMs(Date.now() - 1000);
    await put(client, { name: "of-the-next" });
    await store.withTransaction((tx) =>
      bus.publishFrom(tx, {
        occurredAt: deletedAt,
        payload: { case: "principalChanged", value: { principal: "user:ada", change: Change.DELETED } },
      }),
    );
    await tell("user:eve", Change.DELETED);
    await systemClock.sleep(2000);
    const { retrainings } = await client.listRetrainings({});
    expect(retrainings.find(({ name }) => name === "of-the-next")?.paused).toBe(false);
  }, 120_000);
});

/** What must hold whatever carries the events. Runs inside a `describe`. */
function onNewData(startNats: () => Promise<MortalServer | undefined>): void {
  let nats: MortalServer | undefined;
  let store: Store<unknown>;
  let bus: EventBus;

  // Each test its own server: what one told is not heard in the next.
  beforeEach(async () => {
    nats = await startNats();
    const { url: databaseUrl } = mesh.database;
    store = await openStore({ url: databaseUrl, schema: "registry", migrations: [] });
    const telemetry = silentTelemetry();
    bus = await openEventBus({
      identity: await mesh.identity("registry"),
      store,
      databaseUrl,
      natsUrl: nats?.url,
      clock: systemClock,
      telemetry,
    });
  });
  afterEach(async () => {
    await mesh.stopTrainers();
    await bus[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await nats?.[Symbol.asyncDispose]();
  });

  const start = (options: { workers?: number } = {}) =>
    mesh.start({ ...options, ...(nats && { env: { NATS_URL: nats.url } }) });
  /** The registry tells of a new version, as it does when one is made. */
  const tellOfVersion = (version: bigint, dataset = "plane") =>
    store.withTransaction((tx) =>
      bus.publishFrom(tx, { payload: { case: "datasetCreated", value: { project: "default", dataset, version } } }),
    );

  it("one job begins for each version, however often it is told of and by however many trainers", async () => {
    const { client } = await start({ workers: 0 });
    await start({ workers: 0 });
    const { every: _, ...onData } = { every: undefined, onNewData: true };
    const retraining = { project: "default", name: "fresh", spec: planeSpec, ...onData };
    await client.putRetraining({ retraining });
    // Version 1 was there before the rule; "other" is another dataset.
    await tellOfVersion(1n);
    await tellOfVersion(9n, "other");
    await systemClock.sleep(1500);
    expect(await jobs(client)).toEqual([]);
    await tellOfVersion(mesh.registry.addDataset("plane", planeCsv(200)));
    await tellOfVersion(2n);
    await waitFor(async () => (await jobs(client)).length > 0, { timeoutMs: 60_000, what: "a job" });
    await tellOfVersion(2n);
    await systemClock.sleep(2000);
    expect((await jobs(client)).map((job) => job.spec?.datasetVersion)).toEqual([2n]);
    await tellOfVersion(mesh.registry.addDataset("plane", planeCsv(250)));
    await waitFor(async () => (await jobs(client)).length === 2, { timeoutMs: 60_000, what: "a second job" });
    expect((await jobs(client)).map((job) => job.spec?.datasetVersion)).toEqual([3n, 2n]);
    expect((await rule(client)).lastJobId).toBe((await jobs(client))[0]?.id);
  }, 120_000);

  it("a version that came while no trainer ran is trained on by the next", async () => {
    const { client } = await start({ workers: 0 });
    const retraining = { project: "default", name: "fresh", spec: planeSpec, onNewData: true };
    await client.putRetraining({ retraining });
    await mesh.stopTrainers();
    await tellOfVersion(mesh.registry.addDataset("plane", planeCsv(200)));
    const { client: later } = await start({ workers: 0 });
    await waitFor(async () => (await jobs(later)).length > 0, { timeoutMs: 60_000, what: "a job" });
    expect((await jobs(later)).map((job) => job.spec?.datasetVersion)).toEqual([2n]);
  }, 120_000);

  it("a registry that is away is waited for", async () => {
    const { client } = await start({ workers: 0 });
    const retraining = { project: "default", name: "fresh", spec: planeSpec, onNewData: true };
    await client.putRetraining({ retraining });
    const version = mesh.registry.addDataset("plane", planeCsv(200));
    const { versions: _, address } = mesh.registry;
    await mesh.registry.server.drain(0);
    await tellOfVersion(version);
    await waitFor(async () => (await rule(client)).lastError !== "", { timeoutMs: 60_000, what: "an error" });
    expect(await jobs(client)).toEqual([]);
    const { startSmallRegistry } = await import("../testing/small-registry.ts");
    mesh.registry = await startSmallRegistry(await mesh.identity("registry"), address);
    mesh.registry.addDataset("plane", planeCsv(300));
    mesh.registry.addDataset("plane", planeCsv(200));
    // The rule is looked at again after half a minute; the test need not wait so long.
    await pool.query("update trainer.retraining set held_until = clock_timestamp()");
    await waitFor(async () => (await jobs(client)).length === 1, { timeoutMs: 60_000, what: "a job" });
    await waitFor(async () => (await rule(client)).lastError === "", { timeoutMs: 5000 });
  }, 120_000);

  it("an alias with a gate is how what was retrained reaches production", async () => {
    const { trainer, client } = await start();
    const dan = await mesh.clientOf(trainer, "user:dan");
    const spec = { ...planeSpec, alias: "live", gates: [{ metric: "r2", bound: 0.9 }] };
    await dan.putRetraining({ retraining: { project: "default", name: "fresh", spec, onNewData: true } });
    const train = async (csv: string) => {
      const before = (await jobs(client)).length;
      await tellOfVersion(mesh.registry.addDataset("plane", csv));
      await waitFor(async () => (await jobs(client)).length > before, { timeoutMs: 60_000, what: "a job" });
      return mesh.ended(client, (await jobs(client))[0]?.id ?? "");
    };
    const good = await train(planeCsv(250));
    expect(good).toMatchObject({ state: JobState.SUCCEEDED, modelVersion: 1n, aliasMoved: true });
    expect(mesh.registry.aliases.get("slope@live")).toBe(1n);
    // Targets that have nothing to do with the features.
    const noise = planeCsv(250).replace(/,[-0-9.]+,city/g, () => `,${Math.round(Math.random() * 1000)},city`);
    const bad = await train(noise);
    expect(bad).toMatchObject({ state: JobState.SUCCEEDED, modelVersion: 2n, aliasMoved: false });
    expect(bad.stateReason).toContain("The alias live stays where it is");
    expect(mesh.registry.aliases.get("slope@live")).toBe(1n);
  }, 120_000);
}

describe("on new data, heard over PostgreSQL", () => onNewData(async () => undefined));

describeWith("ci", { needs: "nats-server" }, "on new data, heard over JetStream", () => onNewData(startNats));
