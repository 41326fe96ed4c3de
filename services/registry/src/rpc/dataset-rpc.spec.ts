import { Level } from "@aimass/api/auth";
import { ColumnType, DatasetFormat } from "@aimass/api/registry";
import { refusal } from "@aimass/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestRegistry, type TestRegistry, upload } from "../testing/test-registry.ts";

const grants = [
  { subject: "user:ada", resource: "default", level: Level.EDIT },
  { subject: "user:bob", resource: "default", level: Level.VIEW },
  { subject: "user:root", resource: "default", level: Level.MANAGE },
];

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startTestRegistry({ grants });
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

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

describe("the versions of a dataset", () => {
  beforeAll(async () => {
    await add("user:ada", "rents", "rooms,rent\n3,100\n4,200\n");
    await add("user:ada", "rents", "rooms,rent,town\n3,100,a\n4,200,b\n5,300,b\n");
    await add("user:ada", "rents", "town,rent,rooms\na,low,3\nb,high,4\nb,high,5\n");
  });

  it("are listed newest first, a page at a time, and by no token of another list", async () => {
    const { datasets } = registry.as("user:bob");
    const first = await datasets.listDatasetVersions({ dataset: "rents", page: { size: 2 } });
    expect(first.versions.map(({ version }) => version)).toEqual([3n, 2n]);
    const token = first.page?.nextToken ?? expect.fail();
    const rest = await datasets.listDatasetVersions({ dataset: "rents", page: { size: 2, token } });
    expect(rest.versions.map(({ version }) => version)).toEqual([1n]);
    expect(rest.page?.nextToken).toBe("");
    const { page } = await datasets.listDatasets({ page: { size: 1 } });
    const strange = datasets.listDatasetVersions({
      dataset: "rents",
      page: { size: 2, token: page?.nextToken ?? expect.fail() },
    });
    expect(await refusal(strange)).toMatchObject({ code: "INVALID_ARGUMENT", field: "page.token" });
    const word = Buffer.from(JSON.stringify(["x"])).toString("base64url");
    expect(await refusal(datasets.listDatasetVersions({ dataset: "rents", page: { token: word } }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("are compared by rows, columns, types and statistics", async () => {
    const { datasets } = registry.as("user:bob");
    const grown = await datasets.diffDatasetVersions({ dataset: "rents", left: 1n, right: 2n });
    expect(grown).toMatchObject({ left: { version: 1n }, right: { version: 2n }, compatible: true });
    expect(grown.differences).toEqual(
      expect.arrayContaining([
        "rows: 2 → 3",
        "column town: added, string",
        "column rooms: maximum: 4 → 5",
        "column rent: mean: 150 → 200",
      ]),
    );
    const retyped = await datasets.diffDatasetVersions({ dataset: "rents", left: 2n });
    expect(retyped).toMatchObject({ right: { version: 3n }, compatible: false });
    expect(retyped.differences).toEqual(
      expect.arrayContaining([
        "column rent: number → string",
        "order of columns: rooms, rent, town → town, rent, rooms",
      ]),
    );
    expect(retyped.differences.filter((line) => line.startsWith("rows:"))).toEqual([]);
    const same = await datasets.diffDatasetVersions({ dataset: "rents", left: 2n, right: 2n });
    expect(same).toMatchObject({ differences: [], compatible: true });
    const sha256 = await upload(registry.as("user:ada"), Buffer.from("rent\n1,5\n"));
    const german = { sha256, read: { delimiter: ";", decimal: "," } };
    await registry.as("user:ada").datasets.createDatasetVersion({ dataset: "comma", sha256, read: { delimiter: ";" } });
    await registry.as("user:ada").datasets.createDatasetVersion({ dataset: "comma", ...german });
    const decimal = await datasets.diffDatasetVersions({ dataset: "comma", left: 1n, right: 2n });
    expect(decimal.differences).toContain('read decimal: usual → ","');
    const back = await datasets.diffDatasetVersions({ dataset: "rents", left: 2n, right: 1n });
    expect(back).toMatchObject({ compatible: false });
    expect(back.differences).toContain("column town: removed, string");
  });

  it("are removed by who may, one or all, and only for good when it is meant", async () => {
    const { datasets } = registry.as("user:root");
    const count = async () => (await datasets.listDatasetVersions({ dataset: "rents" })).versions.length;
    const refused = registry.as("user:ada").datasets.deleteDataset({ dataset: "rents", validateOnly: true });
    expect(await refusal(refused)).toMatchObject({ code: "PERMISSION_DENIED" });
    expect(await datasets.deleteDataset({ dataset: "rents", validateOnly: true })).toMatchObject({
      versions: [1n, 2n, 3n],
    });
    expect(await count()).toBe(3);
    const missing = datasets.deleteDataset({ dataset: "rents", version: 9n, validateOnly: true });
    expect(await refusal(missing)).toMatchObject({ code: "NOT_FOUND", field: "version" });
    expect(await datasets.deleteDataset({ dataset: "rents", version: 3n })).toMatchObject({ versions: [3n] });
    expect((await datasets.getDatasetVersion({ dataset: "rents" })).datasetVersion?.version).toBe(2n);
    // A number that was spent is not given again.
    expect((await add("user:ada", "rents", "rooms\n1\n"))?.version).toBe(4n);
    await datasets.deleteDataset({ dataset: "rents" });
    expect(await refusal(datasets.getDatasetVersion({ dataset: "rents" }))).toMatchObject({ code: "NOT_FOUND" });
    expect(await refusal(datasets.deleteDataset({ dataset: "rents" }))).toMatchObject({ code: "NOT_FOUND" });
    expect((await datasets.listDatasets({})).datasets.map(({ dataset }) => dataset)).not.toContain("rents");
    expect((await add("user:ada", "rents", "rooms\n1\n"))?.version).toBe(5n);
  });
});
