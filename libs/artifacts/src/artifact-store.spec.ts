import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { describeArtifacts, planOf, type Storage, segmentBytes, upload } from "./artifact-store.contract.ts";
import { FileArtifactStore } from "./file-artifact-store.ts";
import { S3ArtifactStore } from "./s3-artifact-store.ts";
import { type ObjectServer, startObjectServer } from "./testing/object-server.ts";

async function fileStorage(): Promise<Storage> {
  const directory = await mkdtemp(join(tmpdir(), "aimass-artifacts-"));
  return {
    open: async ({ clock = systemClock } = {}) => new FileArtifactStore({ directory, clock, uploadTtlMs: 1000 }),
    names: async () => {
      const entries = await readdir(directory, { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
    },
    keptInStepsOf: 1,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

async function s3Storage(): Promise<Storage & { server: ObjectServer }> {
  const server = await startObjectServer();
  const location = {
    bucket: "models",
    prefix: "aimass/",
    endpoint: server.endpoint,
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
  };
  return {
    server,
    open: (options = {}) => S3ArtifactStore.open({ location, uploadTtlMs: 1000, segmentBytes, ...options }),
    names: async () => [...server.objects.keys()],
    keptInStepsOf: segmentBytes,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

describeArtifacts("a file system", fileStorage);
describeArtifacts("an S3 bucket", s3Storage);

describe("an upload that was being dropped when its process was killed", () => {
  it("is dropped to its end in a file system", async () => {
    const directory = await mkdtemp(join(tmpdir(), "aimass-artifacts-"));
    try {
      const store = new FileArtifactStore({ directory });
      const { id } = await store.begin(planOf(randomBytes(100)));
      await rm(join(directory, "uploads", `${id}.part`));
      expect(await store.dropExpired()).toBe(0);
      expect(await readdir(join(directory, "uploads"))).toEqual([]);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it("still has its plan in an S3 bucket as long as there are bytes of it", async () => {
    await using place = await s3Storage();
    const store = await place.open();
    const bytes = randomBytes(2500);
    const { id } = await store.begin(planOf(bytes));
    await store.append(id, 0, bytes.subarray(0, 2000));
    const removed: string[] = [];
    const objects = place.server.objects as Map<string, unknown>;
    const remove = objects.delete.bind(objects);
    objects.delete = (key) => {
      removed.push(key);
      return remove(key);
    };
    await store.drop(id);
    expect(removed).toHaveLength(3);
    expect(removed.at(-1)).toContain("plan.json");
    expect(await place.names()).toEqual([]);
  });
});

describe("an S3 bucket that is full", () => {
  it("says RESOURCE_EXHAUSTED and keeps neither segments nor multipart uploads", async () => {
    await using place = await s3Storage();
    const store = await place.open();
    place.server.capacityBytes = 3500;
    const bytes = randomBytes(2800);
    const { id } = await store.begin(planOf(bytes));
    await store.append(id, 0, bytes);
    await expect(store.finish(id)).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "NO_ROOM" });
    expect(await place.names()).toEqual([]);
    expect(place.server.openMultiparts).toBe(0);
  });
});

describe("a file system", () => {
  it("that has not the room announced refuses before the first byte", async () => {
    await using place = await fileStorage();
    const store = await place.open();
    const plan = { ...planOf(randomBytes(1)), sizeBytes: 2 ** 52 };
    await expect(store.begin(plan)).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    expect(await place.names()).toEqual([]);
  });

  it("keeps artifacts read-only and fanned out over directories", async () => {
    const directory = await mkdtemp(join(tmpdir(), "aimass-artifacts-"));
    try {
      const store = new FileArtifactStore({ directory });
      const sha256 = await upload(store, randomBytes(10));
      const path = join(directory, "blobs", sha256.slice(0, 2), sha256.slice(2, 4), sha256);
      expect((await stat(path)).mode & 0o777).toBe(0o444);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
