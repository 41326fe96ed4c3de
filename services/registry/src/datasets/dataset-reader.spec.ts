import { setTimeout as pause } from "node:timers/promises";
import type { OpenArtifact } from "@aimass/artifacts";
import { AimassError } from "@aimass/core";
import { memoryFile } from "@aimass/datasets";
import { describe, expect, it } from "vitest";
import { DatasetReader } from "./dataset-reader.ts";

const bounds = { timeoutMs: 30_000, memoryLimitBytes: 512 * 1024 * 1024 };
const job = { types: new Map() };
const forever = new AbortController().signal;

function readerOf(artifact: Partial<OpenArtifact>, concurrency = 1): DatasetReader {
  const file = memoryFile(Buffer.from("a,b\n1,x\n2,y\n"));
  const open = async () => ({ ...file, descriptor: undefined, ...artifact });
  return new DatasetReader({ artifacts: { open }, limits: {}, bounds, concurrency, ending: forever });
}

describe("the reader of datasets", () => {
  it("asks a storage without files for parts", async () => {
    expect(await readerOf({}).profile("00", job, forever)).toMatchObject({
      format: "csv",
      rows: 2,
      schema: {
        columns: [
          { name: "a", type: "number" },
          { name: "b", type: "string" },
        ],
      },
    });
  });

  it("says of a storage that fails what the storage said", async () => {
    const gone = new AimassError("UNAVAILABLE", "The artifact storage does not answer.");
    const reader = readerOf({ read: () => Promise.reject(gone) });
    await expect(reader.profile("00", job, forever)).rejects.toBe(gone);
  });

  it("ends in time when the storage never answers", async () => {
    const open = async () => ({
      ...memoryFile(Buffer.alloc(10)),
      descriptor: undefined,
      read: () => new Promise<never>(() => {}),
    });
    const impatient = { ...bounds, timeoutMs: 1500 };
    const reader = new DatasetReader({
      artifacts: { open },
      limits: {},
      bounds: impatient,
      concurrency: 1,
      ending: forever,
    });
    await expect(reader.profile("00", job, forever)).rejects.toMatchObject({ reason: "DATASET_TOO_SLOW" });
  });

  it("has so many at a time, lets so many wait, and forgets who no longer waits", async () => {
    const { promise: stuck, resolve: go } = Promise.withResolvers<void>();
    const file = memoryFile(Buffer.from("a\n1\n"));
    const read: OpenArtifact["read"] = (...range) => stuck.then(() => file.read(...range));
    const reader = readerOf({ read, sizeBytes: 4 });
    const first = reader.profile("00", job, forever);
    const leaving = new AbortController();
    const others = Array.from({ length: 64 }, () => reader.profile("00", job, leaving.signal));
    await pause(100);
    await expect(reader.profile("00", job, forever)).rejects.toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "DATASETS_BUSY",
    });
    leaving.abort();
    for (const other of others) await expect(other).rejects.toMatchObject({ name: "AbortError" });
    const last = reader.profile("00", job, forever);
    go();
    expect([(await first).rows, (await last).rows]).toEqual([1, 1]);
  });
});
