import { Level } from "@aimass/api/auth";
import { DatasetFormat } from "@aimass/api/registry";
import { type ObjectServer, startObjectServer } from "@aimass/artifacts/testing";
import { AimassError } from "@aimass/core";
import { zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parquetFile, pngFile } from "../testing/dataset-files.ts";
import { type Clients, startTestRegistry, type TestRegistry, upload } from "../testing/test-registry.ts";

const grants = [{ subject: "user:ada", resource: "default", level: Level.EDIT }];

let server: ObjectServer;
let registry: TestRegistry;
let ada: Clients;

beforeAll(async () => {
  server = await startObjectServer();
  registry = await startTestRegistry({
    grants,
    env: {
      AIMASS_ARTIFACTS: `s3://models/aimass?endpoint=${server.endpoint}`,
      AIMASS_S3_ACCESS_KEY_ID: "key",
      AIMASS_S3_SECRET_ACCESS_KEY: "secret",
    },
  });
  ada = registry.as("user:ada");
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

async function add(dataset: string, file: Uint8Array) {
  const sha256 = await upload(ada, file);
  return (await ada.datasets.createDatasetVersion({ dataset, sha256 }, { timeoutMs: 60_000 })).datasetVersion;
}

describe("a dataset in a bucket", () => {
  it("is read in parts where it lies, whatever its format", async () => {
    const rows = Array.from({ length: 200_000 }, (_, row) => `${row},note ${row}\n`).join("");
    const text = Buffer.from(`n,note\n${rows}`);
    expect(text.length).toBeGreaterThan(3 * 1024 * 1024);
    expect(await add("lines", text)).toMatchObject({
      format: DatasetFormat.CSV,
      rows: 200_000n,
      columns: [{ name: "n", maximum: 199_999, mean: 99_999.5 }, { name: "note" }],
    });
    const numbers = Float64Array.from({ length: 100_000 }, (_, index) => Math.sin(index));
    const parquet = parquetFile([{ name: "x", data: numbers }], { rowGroupSize: 10_000 });
    expect(await add("sines", parquet)).toMatchObject({ format: DatasetFormat.PARQUET, rows: 100_000n });
    const zip = zipSync({ "a/1.png": pngFile(8, 8), "b/2.png": pngFile(9, 9) }, { level: 0 });
    expect(await add("images", zip)).toMatchObject({ format: DatasetFormat.IMAGE_ZIP, rows: 2n });
    const preview = await ada.datasets.previewDataset({ dataset: "images" });
    expect(preview.rows.map((row) => row.cells[1]?.value.value)).toEqual(["a", "b"]);
  });

  it("whose object is gone answers so, and is tried again later", async () => {
    const sha256 = await upload(ada, Buffer.from("a\n1\n"));
    const objects = server.objects as Map<string, unknown>;
    const [key, object] = [...objects].find(([name]) => name.endsWith(sha256.toString("hex"))) ?? [];
    objects.delete(key as string);
    const call = () => ada.datasets.createDatasetVersion({ dataset: "gone", sha256 }, { timeoutMs: 60_000 });
    const error = await call().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AimassError);
    expect(error).toMatchObject({ code: "NOT_FOUND" });
    objects.set(key as string, object);
    expect((await call()).datasetVersion?.rows).toBe(1n);
  });
});
