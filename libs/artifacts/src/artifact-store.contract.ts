import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "@aimass/core";
import { afterEach, describe, expect, it } from "vitest";
import type { ArtifactStore } from "./artifact-store.ts";

/** A storage that several stores (processes) can be opened over. */
export interface Storage extends AsyncDisposable {
  open(options?: OpenOptions): Promise<ArtifactStore>;
  /** Names of whatever lies in the storage. */
  names(): Promise<string[]>;
  /** Bytes after which an upload survives the loss of the process. */
  readonly keptInStepsOf: number;
}

export interface OpenOptions {
  readonly clock?: Clock;
  /** Of a storage that keeps segments; default as below. */
  readonly segmentBytes?: number;
}

/** What storages that keep segments are opened with. */
export const segmentBytes = 1000;

/** What every storage of artifacts keeps, whoever wrote what is behind it. */
export function describeArtifacts(on: string, make: () => Promise<Storage>): void {
  describe(`artifacts on ${on}`, () => keepsItsPromises(make));
}

function keepsItsPromises(make: () => Promise<Storage>): void {
  const open: Storage[] = [];
  const storage = async () => {
    const made = await make();
    open.push(made);
    return made;
  };
  afterEach(async () => {
    for (const made of open.splice(0)) await made[Symbol.asyncDispose]();
  });

  it("gives back what was uploaded, whole and from an offset", async () => {
    const store = await (await storage()).open();
    const bytes = randomBytes(4321);
    const sha256 = await upload(store, bytes);
    expect(await store.has(sha256)).toEqual({ sizeBytes: 4321 });
    expect(await readAll(store.read(sha256))).toEqual(bytes);
    expect(await readAll(store.read(sha256, 4000))).toEqual(bytes.subarray(4000));
    expect(await readAll(store.read(sha256, 4321))).toHaveLength(0);
    await expect(readAll(store.read(sha256, 4322))).rejects.toMatchObject({ code: "OUT_OF_RANGE" });
  });

  it("holds an artifact without a byte and one of exactly one segment", async () => {
    const store = await (await storage()).open();
    for (const size of [0, segmentBytes, 3 * segmentBytes]) {
      const bytes = randomBytes(size);
      expect(await readAll(store.read(await upload(store, bytes)))).toEqual(bytes);
    }
  });

  it("has nothing under a digest nobody uploaded", async () => {
    const store = await (await storage()).open();
    const sha256 = digestOf(Buffer.from("nothing"));
    expect(await store.has(sha256)).toBeUndefined();
    await expect(readAll(store.read(sha256))).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(store.copyTo(sha256, join(tmpdir(), digestOf(randomBytes(8))))).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await store.remove(sha256);
    await expect(store.has("../../etc/passwd")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("resumes an upload torn in the middle after the process was lost", async () => {
    const place = await storage();
    const bytes = randomBytes(4500);
    const first = await place.open();
    const { id } = await first.begin(planOf(bytes));
    await first.append(id, 0, bytes.subarray(0, 2500));

    const second = await place.open();
    const resumed = await second.begin(planOf(bytes));
    expect(resumed.id).toBe(id);
    expect(resumed.receivedBytes).toBe(2500 - (2500 % place.keptInStepsOf));
    await second.append(id, resumed.receivedBytes, bytes.subarray(resumed.receivedBytes));
    await second.finish(id);
    expect(await readAll(second.read(digestOf(bytes)))).toEqual(bytes);
    expect(await second.findUpload(id)).toBeUndefined();
  });

  it("goes on where it stands in the same process, and says where that is", async () => {
    const store = await (await storage()).open();
    const bytes = randomBytes(900);
    const { id } = await store.begin(planOf(bytes));
    expect(await store.append(id, 0, bytes.subarray(0, 400))).toBe(400);
    expect((await store.begin(planOf(bytes))).receivedBytes).toBe(400);
    await expect(store.append(id, 300, bytes.subarray(300))).rejects.toMatchObject({
      code: "ABORTED",
      message: expect.stringContaining("byte 400"),
    });
    await expect(store.finish(id)).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
    await store.append(id, 400, bytes.subarray(400));
    await store.finish(id);
    expect(await store.has(digestOf(bytes))).toEqual({ sizeBytes: 900 });
  });

  it("leaves nothing behind after a wrong digest", async () => {
    const place = await storage();
    const store = await place.open();
    const { id } = await store.begin({ ...planOf(randomBytes(2500)) });
    await store.append(id, 0, randomBytes(2500));
    await expect(store.finish(id)).rejects.toMatchObject({ code: "DATA_LOSS", reason: "DIGEST_MISMATCH" });
    expect(await place.names()).toEqual([]);
    await expect(store.append(id, 0, randomBytes(1))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("refuses more bytes than announced and keeps what it had", async () => {
    const store = await (await storage()).open();
    const bytes = randomBytes(100);
    const { id } = await store.begin(planOf(bytes));
    await expect(store.append(id, 0, randomBytes(101))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await store.append(id, 0, bytes);
    await store.finish(id);
    expect(await readAll(store.read(digestOf(bytes)))).toEqual(bytes);
  });

  it("keeps the uploads of two owners of one digest apart", async () => {
    const store = await (await storage()).open();
    const bytes = randomBytes(2000);
    const ada = await store.begin(planOf(bytes, "user:ada"));
    const eve = await store.begin(planOf(bytes, "user:eve"));
    await store.append(eve.id, 0, randomBytes(2000));
    await store.append(ada.id, 0, bytes);
    await expect(store.finish(eve.id)).rejects.toMatchObject({ code: "DATA_LOSS" });
    await store.finish(ada.id);
    expect(await readAll(store.read(digestOf(bytes)))).toEqual(bytes);
  });

  it("never stores a mix when two processes write the same upload", async () => {
    const place = await storage();
    const bytes = randomBytes(3000);
    const [left, right] = [await place.open(), await place.open()];
    const { id } = await left.begin(planOf(bytes));
    await left.append(id, 0, bytes.subarray(0, 1000));
    const seenByRight = await right.begin(planOf(bytes));
    await right.append(id, seenByRight.receivedBytes, randomBytes(1000));
    await left.append(id, 1000, bytes.subarray(1000)).catch(() => {});
    await left.finish(id).catch(() => {});
    await right.finish(id).catch(() => {});
    const stored = await left.has(digestOf(bytes));
    if (stored !== undefined) expect(await readAll(left.read(digestOf(bytes)))).toEqual(bytes);
    expect(stored === undefined || stored.sizeBytes === 3000).toBe(true);
  });

  it("drops an upload that was left alone, and not one that was not", async () => {
    const place = await storage();
    let now = 1_700_000_000_000;
    const store = await place.open({ clock: clockAt(() => now) });
    const [left, kept] = [randomBytes(2500), randomBytes(2500)];
    const old = await store.begin(planOf(left));
    const fresh = await store.begin(planOf(kept));
    await store.append(old.id, 0, left.subarray(0, 2000));
    expect(old.expiresAtMs).toBe(now + 1000);
    now += 999;
    await store.append(fresh.id, 0, kept.subarray(0, 2000));
    expect(await store.dropExpired()).toBe(0);
    now += 1;
    expect(await store.findUpload(old.id)).toBeUndefined();
    expect(await store.dropExpired()).toBe(1);
    expect((await store.findUpload(fresh.id))?.receivedBytes).toBe(2000);
    expect((await store.begin(planOf(left))).receivedBytes).toBe(0);
  });

  it("copies an artifact to a file that is free to change", async () => {
    const directory = await mkdtemp(join(tmpdir(), "aimass-copy-"));
    try {
      const store = await (await storage()).open();
      const bytes = randomBytes(2222);
      const sha256 = await upload(store, bytes);
      const path = join(directory, "model.onnx");
      await store.copyTo(sha256, path);
      expect(await readFile(path)).toEqual(bytes);
      await writeFile(path, "changed");
      expect(await readAll(store.read(sha256))).toEqual(bytes);
      await expect(store.copyTo(sha256, path)).rejects.toThrow();
      expect(await readFile(path, "utf8")).toBe("changed");
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it("opens an artifact for reads from anywhere, also beyond its end", async () => {
    const store = await (await storage()).open();
    const bytes = randomBytes(4321);
    const sha256 = await upload(store, bytes);
    await using artifact = await store.open(sha256);
    expect(artifact.sizeBytes).toBe(4321);
    const reads = [
      [4000, 300],
      [0, 1],
      [4300, 1000],
      [0, 4321],
      [4321, 5],
      [5000, 5],
      [7, 0],
    ] as const;
    const got = await Promise.all(reads.map(([offset, length]) => artifact.read(offset, length)));
    expect(got.map((part) => Buffer.from(part))).toEqual(
      reads.map(([offset, length]) => bytes.subarray(offset, offset + length)),
    );
    await expect(artifact.read(0, 10, AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
    await expect(store.open(digestOf(Buffer.from("nothing")))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("lists what is complete and forgets what was removed", async () => {
    const place = await storage();
    const store = await place.open();
    const digests = await Promise.all([1, 2, 3, 4, 5].map((n) => upload(store, randomBytes(n * 100))));
    const unfinished = await store.begin(planOf(randomBytes(5000)));
    await store.append(unfinished.id, 0, randomBytes(2000));
    const listed = await collect(store.list());
    expect(listed.map((entry) => entry.sha256).sort()).toEqual([...digests].sort());
    expect(Math.abs((listed[0]?.storedAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
    await store.remove(digests[0] as string);
    expect(await store.has(digests[0] as string)).toBeUndefined();
    expect(await collect(store.list())).toHaveLength(4);
  });

  it("stops a read when its signal aborts", async () => {
    const store = await (await storage()).open({ segmentBytes: 1_000_000 });
    const sha256 = await upload(store, randomBytes(600_000), 100_000);
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _chunk of store.read(sha256, 0, controller.signal)) controller.abort();
    })();
    await expect(reading).rejects.toMatchObject({ name: "AbortError" });
  });
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export function planOf(bytes: Uint8Array, owner = "user:ada") {
  return { sha256: digestOf(bytes), sizeBytes: bytes.byteLength, owner };
}

export async function upload(store: ArtifactStore, bytes: Uint8Array, chunkBytes = 700): Promise<string> {
  const { id } = await store.begin(planOf(bytes));
  for (let from = 0; from < bytes.length; from += chunkBytes) {
    await store.append(id, from, bytes.subarray(from, from + chunkBytes));
  }
  await store.finish(id);
  return digestOf(bytes);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await collect(chunks));
}

function clockAt(now: () => number): Clock {
  return { ...systemClock, now };
}
