import { Level } from "@aimass/api/auth";
import { ColumnType, DatasetFormat } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestRegistry, type TestRegistry, upload } from "../testing/test-registry.ts";

const grants = [
  { subject: "user:ada", resource: "default", level: Level.EDIT },
  { subject: "user:bob", resource: "default", level: Level.VIEW },
];

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startTestRegistry({ grants });
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

async function refusal(call: Promise<unknown>): Promise<AimassError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AimassError);
  return error as AimassError;
}

async function add(who: string, dataset: string, text: string) {
  const clients = registry.as(who);
  const sha256 = await upload(clients, Buffer.from(text));
  const request = { dataset, sha256, format: DatasetFormat.CSV, source: "spec" };
  return (await clients.datasets.createDatasetVersion(request)).datasetVersion;
}

describe("a dataset", () => {
  it("gets a version with its schema for each new content, and none for the same", async () => {
    const first = await add("user:ada", "prices", "rooms,price\n3,100\n4,200\n,300\n");
    expect(first).toMatchObject({
      project: "default",
      dataset: "prices",
      version: 1n,
      rows: 3n,
      createdBy: "user:ada",
    });
    expect(first?.columns).toMatchObject([
      { name: "rooms", type: ColumnType.NUMBER, missing: 1n, mean: 3.5 },
      { name: "price", type: ColumnType.NUMBER, minimum: 100, maximum: 300, mean: 200 },
    ]);
    expect(await add("user:ada", "prices", "rooms,price\n3,100\n4,200\n,300\n")).toEqual(first);
    expect((await add("user:ada", "prices", "rooms,price\n5,100\n"))?.version).toBe(2n);
  });

  it("is found by version, or its newest", async () => {
    const { datasets } = registry.as("user:bob");
    expect((await datasets.getDatasetVersion({ dataset: "prices", version: 1n })).datasetVersion?.rows).toBe(3n);
    expect((await datasets.getDatasetVersion({ dataset: "prices" })).datasetVersion?.version).toBe(2n);
    expect(await refusal(datasets.getDatasetVersion({ dataset: "prices", version: 3n }))).toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining("has no version 3"),
    });
    const { datasets: listed } = await datasets.listDatasets({});
    expect(listed.map((item) => [item.dataset, item.version])).toEqual([["prices", 2n]]);
  });

  it("added by several at once has versions without gaps", async () => {
    const texts = ["a\n1\n", "a\n2\n", "a\n3\n"];
    const versions = await Promise.all(texts.map((text) => add("user:ada", "crowd", text)));
    expect(versions.map((version) => Number(version?.version)).sort()).toEqual([1, 2, 3]);
  });

  it("of a table that does not hold together is refused with the row", async () => {
    const error = await refusal(add("user:ada", "broken", "a,b\n1,2\n3\n"));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining("Row 2 (line 3)") });
    expect(await refusal(registry.as("user:ada").datasets.getDatasetVersion({ dataset: "broken" }))).toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("is refused in a format there is not, without a name, or without the file", async () => {
    const { datasets } = registry.as("user:ada");
    const request = { dataset: "x", sha256: Buffer.alloc(32), format: DatasetFormat.CSV };
    const unnamed = datasets.createDatasetVersion({ ...request, dataset: "a b" });
    expect(await refusal(unnamed)).toMatchObject({ code: "INVALID_ARGUMENT", field: "dataset" });
    const strange = datasets.createDatasetVersion({ ...request, format: 99 as DatasetFormat });
    expect(await refusal(strange)).toMatchObject({ code: "INVALID_ARGUMENT", field: "format" });
    expect(await refusal(datasets.createDatasetVersion(request))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("that is hidden looks like one that does not exist", async () => {
    const { datasets } = registry.as("user:eve");
    const hidden = await refusal(datasets.getDatasetVersion({ dataset: "prices" }));
    const absent = await refusal(datasets.getDatasetVersion({ dataset: "absent" }));
    expect(hidden.message.replace("prices", "")).toBe(absent.message.replace("absent", ""));
    expect([hidden.code, absent.code]).toEqual(["NOT_FOUND", "NOT_FOUND"]);
    expect((await datasets.listDatasets({})).datasets).toEqual([]);
  });

  it("is not written by who may only look", async () => {
    const { datasets } = registry.as("user:bob");
    const request = { dataset: "x", sha256: Buffer.alloc(32), format: DatasetFormat.CSV };
    expect(await refusal(datasets.createDatasetVersion(request))).toMatchObject({ code: "PERMISSION_DENIED" });
  });
});
