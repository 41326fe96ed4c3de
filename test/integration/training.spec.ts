import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AccessService, DirectoryService, Effect, Level, SessionService } from "@aimass/api/auth";
import { ArtifactService, DatasetFormat, DatasetService, ModelService, VersionState } from "@aimass/api/registry";
import { type Job, JobState, TrainingService } from "@aimass/api/trainer";
import { type Address, formatAddress, parseAddress, systemClock } from "@aimass/core";
import { createMeshIdentity, meshRoles, ServiceIdentity } from "@aimass/identity";
import { closeServiceClients, createServiceClient } from "@aimass/rpc";
import { createTestDatabase, freePort, type TestDatabase, waitFor } from "@aimass/testkit";
import type { DescService } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const serviceNames = ["auth", "registry", "trainer"] as const;
type ServiceName = (typeof serviceNames)[number];

const root = fileURLToPath(new URL("../../", import.meta.url));
const processes = new Map<ServiceName, ChildProcess>();
const addresses = new Map<ServiceName, Address>();
let directory: string;
let database: TestDatabase;
let router: ServiceIdentity;

/** A process of a service, started as the supervisor starts it; comes back on its port. */
async function start(name: ServiceName): Promise<void> {
  const listen = addresses.get(name) ?? expect.fail();
  const stateDirectory = join(directory, name);
  await mkdir(stateDirectory, { recursive: true });
  const addressOf = (service: ServiceName) => formatAddress(addresses.get(service) ?? expect.fail());
  const child = fork(join(root, `services/${name}/src/main.ts`), [], {
    env: {
      PATH: process.env.PATH,
      LOG: "warn",
      AIMASS_LISTEN: formatAddress(listen),
      AIMASS_IDENTITY_FILE: join(directory, `${name}.identity.json`),
      AIMASS_TRUST_FILE: join(directory, "trust.json"),
      AIMASS_STATE_DIR: stateDirectory,
      AIMASS_DATABASE_URL: database.url,
      AIMASS_AUTH_ADDRESSES: addressOf("auth"),
      AIMASS_REGISTRY_ADDRESSES: addressOf("registry"),
    },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  processes.set(name, child);
  const ready = await new Promise<{ ready: { admin: string } }>((resolve, reject) => {
    child.once("message", resolve as (message: unknown) => void);
    child.once("exit", (code) => reject(new Error(`${name} ended with ${code}`)));
  });
  await waitFor(async () => (await fetch(`http://${ready.ready.admin}/readyz`)).ok, { timeoutMs: 60_000, what: name });
}

async function end(name: ServiceName, signal: NodeJS.Signals): Promise<void> {
  const child = processes.get(name);
  if (child === undefined || child.exitCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await gone;
}

/** As the router calls for a user. */
function as<S extends DescService>(principal: string, service: S, name: ServiceName): Client<S> {
  const address = addresses.get(name) ?? parseAddress(":0") ?? expect.fail();
  return createServiceClient(service, { addresses: [address], identity: router, onBehalfOf: principal });
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "aimass-test-"));
  await createMeshIdentity(directory, meshRoles);
  const file = (name: string) => join(directory, name);
  router = await ServiceIdentity.load(file("router.identity.json"), file("trust.json"), systemClock);
  database = await createTestDatabase();
  // Each knows the others' addresses before they run.
  for (const name of serviceNames) addresses.set(name, { host: "127.0.0.1", port: await freePort() });
  for (const name of serviceNames) await start(name);
  const users = as("user:admin", DirectoryService, "auth");
  await users.createUser({ name: "ada", password: "correct horse battery staple" }, { headers: await signedIn() });
  const grants = as("user:admin", AccessService, "auth");
  await grants.putGrant({
    grant: { subject: "user:ada", resource: "default", level: Level.EDIT, effect: Effect.ALLOW },
  });
}, 120_000);

afterAll(async () => {
  for (const name of ["trainer", "registry", "auth"] as const) await end(name, "SIGTERM");
  closeServiceClients();
  await database?.drop();
  await rm(directory, { recursive: true, force: true });
});

/** The administrator's credential: users are made by a person's session alone. */
async function signedIn(): Promise<Headers> {
  const password = (await readFile(join(directory, "auth", "admin-password"), "utf8")).trim();
  const sessions = createServiceClient(SessionService, {
    addresses: [addresses.get("auth") ?? expect.fail()],
    identity: router,
  });
  const { tokens } = await sessions.signIn({ username: "admin", password });
  return new Headers({ authorization: `Bearer ${tokens?.accessToken ?? expect.fail()}` });
}

async function pushDataset(dataset: string, csv: string) {
  const bytes = Buffer.from(csv);
  const sha256 = createHash("sha256").update(bytes).digest();
  const artifacts = as("user:ada", ArtifactService, "registry");
  const { uploadId, complete } = await artifacts.startUpload({
    sha256,
    sizeBytes: BigInt(bytes.length),
    project: "default",
  });
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += 65_536) {
      yield { uploadId, offset: BigInt(at), chunk: bytes.subarray(at, at + 65_536) };
    }
  }
  if (!complete) await artifacts.writeUpload(chunks());
  const datasets = as("user:ada", DatasetService, "registry");
  await datasets.createDatasetVersion({ project: "default", dataset, format: DatasetFormat.CSV, sha256 });
}

/** y = 4u − v + 20, a little noise, and a column of text. */
function csvOf(rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const [u, v] = [((i * 7919) % 1009) / 100, ((i * 104729) % 509) / 50];
    return `${u},${v},"row ${i}, quoted",${4 * u - v + 20 + Math.sin(i) / 10}`;
  });
  return `u,v,note,y\r\n${lines.join("\r\n")}\r\n`;
}

async function train(change: object = {}): Promise<Job> {
  const spec = { recipe: "linear", dataset: "plane", target: "y", model: "plane", seed: 1n, ...change };
  const { job } = await as("user:ada", TrainingService, "trainer").createJob({ spec });
  return job ?? expect.fail();
}

/** Follows a job over whatever dies on the way. */
async function follow(id: string): Promise<Job> {
  let after = 0n;
  let job: Job | undefined;
  const client = as("user:ada", TrainingService, "trainer");
  while (job === undefined || job.state < JobState.SUCCEEDED) {
    try {
      for await (const { sequence, event } of client.watchJob({ id, afterSequence: after })) {
        expect(sequence).toBe(after + 1n);
        after = sequence;
        if (event.case === "job") job = event.value;
      }
    } catch {
      await systemClock.sleep(100);
    }
  }
  return job;
}

describe("a dataset", () => {
  it("becomes a ready version with its lineage, by the real registry's own inspection", async () => {
    await pushDataset("plane", csvOf(2000));
    const done = await follow((await train()).id);
    expect(done.stateReason).toBe("Version 1 of default.plane is ready.");
    expect(done.metrics.r2).toBeGreaterThan(0.999);
    const models = as("user:ada", ModelService, "registry");
    const { version = expect.fail() } = await models.getVersion({ project: "default", model: "plane", version: "1" });
    expect(version.state).toBe(VersionState.READY);
    expect(version.createdBy).toBe("user:ada");
    expect(version.signature?.inputs).toMatchObject([
      { name: "u", datatype: "FP32", shape: [-1n] },
      { name: "v", datatype: "FP32", shape: [-1n] },
    ]);
    expect(version.signature?.outputs).toMatchObject([{ name: "y", datatype: "FP32", shape: [-1n, 1n] }]);
    expect(version.signature?.batchable).toBe(true);
    expect(version.lineage).toMatchObject({ jobId: done.id, dataset: "plane", datasetVersion: 1n, recipe: "linear" });
    expect(version.metrics.r2).toBe(done.metrics.r2);
    expect(await serve(version.files[0]?.sha256 ?? expect.fail(), { u: 1, v: 2 })).toBeCloseTo(22, 0);
  });

  it("is trained on even when trainer, worker and registry are killed while it runs", async () => {
    await pushDataset("large", csvOf(60_000));
    const { id } = await train({ dataset: "large", model: "survivor" });
    const client = as("user:ada", TrainingService, "trainer");
    await waitFor(async () => (await client.getJob({ id })).job?.state === JobState.RUNNING, { what: "a running job" });
    await Promise.all([end("trainer", "SIGKILL"), end("registry", "SIGKILL")]);
    await Promise.all([start("trainer"), start("registry")]);
    const done = await follow(id);
    expect(done).toMatchObject({ state: JobState.SUCCEEDED, modelVersion: 1n });
    expect(done.attempt).toBeGreaterThan(1);
    const { versions } = await as("user:ada", ModelService, "registry").listVersions({
      project: "default",
      model: "survivor",
    });
    expect(versions).toHaveLength(1);
  }, 120_000);
});

/** Runs a stored model on one row. */
async function serve(sha256: Uint8Array, row: Readonly<Record<string, number>>): Promise<number> {
  const chunks: Uint8Array[] = [];
  for await (const { chunk } of as("user:ada", ArtifactService, "registry").readArtifact({ sha256 }))
    chunks.push(chunk);
  const session = await InferenceSession.create(Buffer.concat(chunks));
  const feeds = Object.entries(row).map(([name, value]) => [name, new Tensor("float32", [value], [1])] as const);
  const { y = expect.fail() } = await session.run(Object.fromEntries(feeds));
  return y.data[0] as number;
}
