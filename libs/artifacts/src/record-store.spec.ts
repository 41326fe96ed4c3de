import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openRecordStore } from "./location.ts";
import { describeRecords, type Place } from "./record-store.contract.ts";
import { startObjectServer } from "./testing/object-server.ts";

async function directory(): Promise<Place> {
  const path = await mkdtemp(join(tmpdir(), "aimass-records-"));
  return {
    location: { kind: "file", directory: path },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

async function bucket(): Promise<Place> {
  const { endpoint, [Symbol.asyncDispose]: dispose } = await startObjectServer();
  const credentials = { accessKeyId: "key", secretAccessKey: "secret" };
  return {
    location: { kind: "s3", bucket: "models", prefix: "aimass/", endpoint, credentials },
    [Symbol.asyncDispose]: dispose,
  };
}

describeRecords("a file system", directory);
describeRecords("an S3 bucket", bucket);

describe("records in a directory", () => {
  it("are read-only files, and nothing is left of a write that failed", async () => {
    await using place = await directory();
    if (place.location.kind !== "file") return;
    const path = join(place.location.directory, "heads");
    await using store = await openRecordStore(place.location, "heads");
    await store.put("one", Buffer.from("1"));
    expect((await stat(join(path, "one"))).mode & 0o777).toBe(0o444);
    await expect(store.put("x".repeat(300), Buffer.from("2"))).rejects.toMatchObject({ code: "ENAMETOOLONG" });
    expect(await readdir(path)).toEqual(["one"]);
  });
});
