import { createHash, randomBytes } from "node:crypto";
import { FileArtifactStore } from "@aimass/artifacts";
import { openStore, type Store } from "@aimass/store";
import { createTestDatabase, FakeClock, type TempDirectory, type TestDatabase, tempDirectory } from "@aimass/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Database } from "../database.ts";
import { migrations } from "../migrations/index.ts";
import { ArtifactAccess } from "./artifact-access.ts";
import { collectArtifacts } from "./garbage-collection.ts";

const graceMs = 24 * 3600_000;

let database: TestDatabase;
let directory: TempDirectory;
let store: Store<Database>;
let clock: FakeClock;
let artifacts: FileArtifactStore;
let access: ArtifactAccess;

beforeEach(async () => {
  database = await createTestDatabase();
  directory = await tempDirectory();
  clock = new FakeClock();
  store = await openStore<Database>({ url: database.url, schema: "registry", migrations });
  artifacts = new FileArtifactStore({ directory: directory.path, clock, uploadTtlMs: graceMs });
  access = new ArtifactAccess({ store, artifacts, clock });
  const made = { created_at: new Date(), created_by: "user:ada" };
  await store.db
    .insertInto("project")
    .values({ name: "default", description: "", review_required: false, ...made })
    .execute();
});

afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await database.drop();
  await directory[Symbol.asyncDispose]();
});

const collect = () => collectArtifacts({ store, artifacts, clock, graceMs });

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

async function referAsVersion(graph: string, script: string): Promise<void> {
  const made = { created_at: new Date(), created_by: "user:ada" };
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

describe("garbage collection", () => {
  it("removes what nothing refers to once the grace is over, and not before", async () => {
    const [lost, kept] = [await put(), await put()];
    await refer(kept);
    await clock.advance(graceMs - 1);
    expect(await collect()).toEqual({ artifacts: 0, bytes: 0, uploads: 0 });
    await clock.advance(1);
    expect(await collect()).toEqual({ artifacts: 1, bytes: 100, uploads: 0 });
    expect(await artifacts.has(lost)).toBeUndefined();
    expect(await artifacts.has(kept)).toEqual({ sizeBytes: 100 });
  });

  it("keeps the code a version was made with as long as the version", async () => {
    const [graph, script] = [await put(), await put()];
    await referAsVersion(graph, script);
    await clock.advance(graceMs * 3);
    expect((await collect()).artifacts).toBe(0);
    await store.db.deleteFrom("version").execute();
    expect((await collect()).artifacts).toBe(2);
    expect(await artifacts.has(script)).toBeUndefined();
  });

  it("leaves an old artifact that someone just named", async () => {
    const old = await put();
    await clock.advance(graceMs * 3);
    expect(await access.note("user:ada", old)).toBe(true);
    expect((await collect()).artifacts).toBe(0);
    await clock.advance(graceMs);
    expect((await collect()).artifacts).toBe(1);
    expect(await store.db.selectFrom("artifact_hold").selectAll().execute()).toEqual([]);
  });

  it("never takes an artifact out of the hands of someone who is about to refer to it", async () => {
    for (let round = 0; round < 10; round += 1) {
      const old = await put();
      await clock.advance(graceMs * 3);
      const [noted] = await Promise.all([access.note("user:ada", old), collect(), collect()]);
      expect((await artifacts.has(old)) !== undefined).toBe(noted);
      await clock.advance(graceMs * 3);
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
    expect((await collect()).uploads).toBe(1);
    expect(await artifacts.findUpload(left.id)).toBeUndefined();
    expect(await artifacts.findUpload(fresh.id)).toBeDefined();
  });
});
