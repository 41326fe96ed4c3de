import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ArtifactLocation, type ArtifactStore, openArtifactStore, openRecordStore } from "@aimass/artifacts";
import { type ObjectServer, startObjectServer } from "@aimass/artifacts/testing";
import { openStore, type Store } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import { createTestDatabase, FakeClock, type TempDirectory, type TestDatabase, tempDirectory } from "@aimass/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Database } from "../database.ts";
import { migrations } from "../migrations/index.ts";
import { ArtifactAccess } from "./artifact-access.ts";
import { type Collection, collectArtifacts } from "./garbage-collection.ts";
import { StorageTie } from "./storage-tie.ts";
import { Trash, trashFolder } from "./trash.ts";

const hourMs = 3600_000;
const graceMs = 24 * hourMs;
const trashMs = 7 * 24 * hourMs;
const made = { created_at: new Date(), created_by: "user:ada" };

let database: TestDatabase;
let directory: TempDirectory;
let server: ObjectServer;
let store: Store<Database>;
let clock: FakeClock;
let location: ArtifactLocation;
let artifacts: ArtifactStore;
let access: ArtifactAccess;

beforeEach(async () => {
  database = await createTestDatabase();
  directory = await tempDirectory();
  server = await startObjectServer();
  clock = new FakeClock();
  store = await openDatabase(database.url);
  await useStorage({ kind: "file", directory: directory.path });
});

afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await database.drop();
  await directory[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function openDatabase(url: string): Promise<Store<Database>> {
  const opened = await openStore<Database>({ url, schema: "registry", migrations });
  const project = { name: "default", description: "", review_required: false, ...made };
  await opened.db.insertInto("project").values(project).execute();
  return opened;
}

async function useStorage(at: ArtifactLocation): Promise<void> {
  location = at;
  artifacts = await openArtifactStore({ location, clock, uploadTtlMs: graceMs });
  access = new ArtifactAccess({ store, artifacts, clock, uploaderMs: 3_600_000 });
  // As the first start of an installation does.
  await tieOf(store).then((tie) => tie.verify());
}

const bucket = (): ArtifactLocation => ({
  kind: "s3",
  bucket: "models",
  prefix: "aimass/",
  endpoint: server.endpoint,
  credentials: { accessKeyId: "key", secretAccessKey: "secret" },
});

async function tieOf(database_: Store<Database>, adopt?: string): Promise<StorageTie> {
  const { log } = silentTelemetry();
  return new StorageTie({ store: database_, artifacts, root: await openRecordStore(location, ""), adopt, log });
}

interface CollectOptions {
  readonly database?: Store<Database>;
  readonly grace?: number;
  readonly share?: number;
  readonly adopt?: string;
}

async function collect(options: CollectOptions = {}): Promise<Collection | undefined> {
  const { database: database_ = store, grace = graceMs, share = 1 } = options;
  const trash = new Trash(await openRecordStore(location, trashFolder));
  const tie = await tieOf(database_, options.adopt);
  return collectArtifacts({
    store: database_,
    artifacts,
    tie,
    trash,
    clock,
    graceMs: grace,
    trashMs,
    dailyShare: share,
  });
}

async function put(): Promise<string> {
  const bytes = randomBytes(100);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const { id } = await artifacts.begin({ sha256, sizeBytes: 100, owner: "user:ada" });
  await artifacts.append(id, 0, bytes);
  await artifacts.finish(id);
  return sha256;
}

async function refer(sha256: string): Promise<void> {
  await store.db.insertInto("dataset").values({ project: "default", name: "d" }).execute();
  const row = { project: "default", dataset: "d", version: "1", sha256: Buffer.from(sha256, "hex"), body: "{}" };
  await store.db.insertInto("dataset_version").values(row).execute();
}

async function referAll(digests: readonly string[]): Promise<void> {
  await store.db.insertInto("dataset").values({ project: "default", name: "d" }).execute();
  const rows = digests.map((sha256, index) => ({
    project: "default",
    dataset: "d",
    version: String(index + 1),
    sha256: Buffer.from(sha256, "hex"),
    body: "{}",
  }));
  await store.db.insertInto("dataset_version").values(rows).execute();
}

async function referAsVersion(graph: string, script: string): Promise<void> {
  const model = { project: "default", name: "m", description: "", labels: "{}", deleted_at: null, ...made };
  await store.db.insertInto("model").values(model).execute();
  const name = { project: "default", model: "m", version: "1" };
  const version = {
    ...name,
    state: "READY",
    bundle_digest: Buffer.alloc(32),
    idempotency_key: null,
    body: "{}",
  } as const;
  await store.db
    .insertInto("version")
    .values({ ...version, ...made })
    .execute();
  const file = (path: string, sha256: string) => ({
    ...name,
    path,
    sha256: Buffer.from(sha256, "hex"),
    size_bytes: "100",
  });
  await store.db.insertInto("version_file").values(file("model.onnx", graph)).execute();
  await store.db.insertInto("version_code").values(file("train.py", script)).execute();
}

const storages: readonly [string, () => ArtifactLocation][] = [
  ["a file system", () => location],
  ["an S3 bucket", bucket],
];

describe.each(storages)("garbage collection on %s", (_name, at) => {
  beforeEach(() => useStorage(at()));

  it("puts what nothing refers to into the trash once the grace is over, and removes it when its days there are over", async () => {
    const [lost, kept] = [await put(), await put()];
    await refer(kept);
    // A bucket's times are those of its own clock: the grace is counted from there.
    const storedAtMs = location.kind === "s3" ? Date.now() : clock.now();
    if (clock.now() < storedAtMs) await clock.advance(storedAtMs - clock.now() + hourMs);
    const grace = clock.now() - storedAtMs + graceMs;
    expect(await collect({ grace })).toMatchObject({ found: 2, trashed: 0, artifacts: 0 });
    await clock.advance(graceMs + hourMs);
    expect(await collect({ grace })).toMatchObject({ found: 2, unreferenced: 1, trashed: 1, artifacts: 0 });
    await clock.advance(trashMs - 1);
    expect(await collect({ grace })).toMatchObject({ trashed: 0, artifacts: 0 });
    expect(await artifacts.has(lost)).toEqual({ sizeBytes: 100 });
    await clock.advance(1);
    expect(await collect({ grace })).toMatchObject({ artifacts: 1, bytes: 100, unreferenced: 0 });
    expect(await artifacts.has(lost)).toBeUndefined();
    expect(await artifacts.has(kept)).toEqual({ sizeBytes: 100 });
  });

  it("never removes on a second, empty database: nothing is trashed, and somebody is told", async () => {
    const model = await put();
    await refer(model);
    await clock.advance(Math.max(graceMs, Date.now() - clock.now()) + hourMs);
    const otherDatabase = await createTestDatabase();
    const other = await openDatabase(otherDatabase.url);
    try {
      expect(await collect({ database: other, grace: 0 })).toBeUndefined();
      const tie = await tieOf(other);
      await tie.verify();
      expect(tie.warning).toMatch(/belongs to the installation .* AIMASS_ADOPT_ARTIFACTS=/);
      expect(() => tie.assertUploadable()).toThrow("belongs to the installation");
      await clock.advance(trashMs * 2);
      expect(await collect({ database: other, grace: 0 })).toBeUndefined();
      expect(await artifacts.has(model)).toEqual({ sizeBytes: 100 });
      expect((await collect({ grace: 0 }))?.unreferenced).toBe(0);
    } finally {
      await other[Symbol.asyncDispose]();
      await otherDatabase.drop();
    }
  });
});

describe("garbage collection", () => {
  it("leaves uploads in progress alone on a database that is not the storage's", async () => {
    const bytes = randomBytes(100);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const upload = await artifacts.begin({ sha256, sizeBytes: 100, owner: "user:ada" });
    const root = await openRecordStore(location, "");
    await root.put("owner.json", Buffer.from(JSON.stringify({ installation: "another" })));
    await clock.advance(graceMs - 1);
    expect(await collect()).toBeUndefined();
    expect(await artifacts.findUpload(upload.id)).toBeDefined();
  });

  it("takes no more than a day's share when a database comes back from an older backup, and gives all of it back with the right one", async () => {
    const digests = await Promise.all(Array.from({ length: 40 }, () => put()));
    await referAll(digests);
    const rows = await store.db.selectFrom("dataset_version").selectAll().execute();
    await clock.advance(graceMs * 2);
    expect(await collect({ share: 0.1 })).toMatchObject({ found: 40, unreferenced: 0 });
    await store.db.deleteFrom("dataset_version").where("version", "!=", "1").execute();
    expect(await collect({ share: 0.1 })).toMatchObject({ trashed: 4, postponed: 35, artifacts: 0 });
    await clock.advance(hourMs);
    expect(await collect({ share: 0.1 })).toMatchObject({ trashed: 0, unreferenced: 39 });
    await clock.advance(24 * hourMs);
    expect(await collect({ share: 0.1 })).toMatchObject({ trashed: 4 });
    for (const digest of digests) expect(await artifacts.has(digest)).toEqual({ sizeBytes: 100 });
    await store.db.deleteFrom("dataset_version").execute();
    for (const { body, ...row } of rows)
      await store.db
        .insertInto("dataset_version")
        .values({ ...row, body: JSON.stringify(body) })
        .execute();
    await clock.advance(trashMs * 2);
    expect(await collect({ share: 0.1 })).toMatchObject({ restored: 8, artifacts: 0, unreferenced: 0 });
    for (const digest of digests) expect(await artifacts.has(digest)).toEqual({ sizeBytes: 100 });
  });

  it("goes on with an older installation, whose database names what the storage holds", async () => {
    const kept = await put();
    await refer(kept);
    await (await openRecordStore(location, "")).remove("owner.json");
    await store.db.deleteFrom("installation").execute();
    expect(await collect()).toMatchObject({ found: 1 });
    const { id } = await store.db.selectFrom("installation").select("id").executeTakeFirstOrThrow();
    expect(JSON.parse(await readFile(join(directory.path, "owner.json"), "utf8"))).toEqual({ installation: id });
  });

  it("adopts a storage whose owner is unknown or another one only when it is told so", async () => {
    await put();
    const root = await openRecordStore(location, "");
    await root.remove("owner.json");
    expect(await collect()).toBeUndefined();
    expect(await collect({ adopt: "somebody" })).toBeUndefined();
    expect(await collect({ adopt: "unowned" })).toMatchObject({ found: 1 });
    await root.put("owner.json", Buffer.from(JSON.stringify({ installation: "another" })));
    expect(await collect({ adopt: "unowned" })).toBeUndefined();
    expect(await collect({ adopt: "another" })).toMatchObject({ found: 1 });
    expect(await collect()).toMatchObject({ found: 1 });
  });

  it("says so when the database names artifacts and the storage is empty", async () => {
    const digest = await put();
    await refer(digest);
    await artifacts.remove(digest);
    await (await openRecordStore(location, "")).remove("owner.json");
    const tie = await tieOf(store);
    expect(await tie.verify()).toMatchObject({ kind: "untied", problem: expect.stringContaining("is empty") });
  });

  it("keeps the code a version was made with as long as the version", async () => {
    const [graph, script] = [await put(), await put()];
    await referAsVersion(graph, script);
    await clock.advance(graceMs * 3);
    expect((await collect())?.trashed).toBe(0);
    await store.db.deleteFrom("version").execute();
    expect((await collect())?.trashed).toBe(2);
    await clock.advance(trashMs);
    expect((await collect())?.artifacts).toBe(2);
    expect(await artifacts.has(script)).toBeUndefined();
  });

  it("leaves an old artifact that someone just named, and takes it out of the trash", async () => {
    const old = await put();
    await clock.advance(graceMs * 3);
    expect((await collect())?.trashed).toBe(1);
    expect(await access.note("user:ada", old)).toBe(true);
    expect(await collect()).toMatchObject({ restored: 1, trashed: 0, unreferenced: 0 });
    await clock.advance(graceMs);
    expect((await collect())?.trashed).toBe(1);
    await clock.advance(trashMs);
    expect((await collect())?.artifacts).toBe(1);
    expect(await store.db.selectFrom("artifact_hold").selectAll().execute()).toEqual([]);
  });

  it("never takes an artifact out of the hands of someone who is about to refer to it", async () => {
    for (let round = 0; round < 10; round += 1) {
      const old = await put();
      await clock.advance(graceMs * 3);
      await collect();
      await clock.advance(trashMs);
      const [noted] = await Promise.all([access.note("user:ada", old), collect(), collect()]);
      expect((await artifacts.has(old)) !== undefined).toBe(noted);
      await clock.advance(graceMs * 3);
      await collect();
      await clock.advance(trashMs);
      await collect();
    }
  });

  it("drops uploads that were left alone, and leaves those in progress", async () => {
    const bytes = randomBytes(100);
    const begin = (owner: string) => {
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      return artifacts.begin({ sha256, sizeBytes: 100, owner });
    };
    const left = await begin("user:ada");
    await clock.advance(graceMs);
    const fresh = await begin("user:bob");
    expect((await collect())?.uploads).toBe(1);
    expect(await artifacts.findUpload(left.id)).toBeUndefined();
    expect(await artifacts.findUpload(fresh.id)).toBeDefined();
  });
});
