import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Level } from "@aimass/api/auth";
import { refusal } from "@aimass/testkit";
import { zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endlessFile, parquetFile, pngFile } from "../testing/dataset-files.ts";
import { readingProcesses } from "../testing/reading-processes.ts";
import { startTestRegistry, type TestRegistry, upload } from "../testing/test-registry.ts";

const mebibyte = 1024 * 1024;
const grants = [{ subject: "user:ada", resource: "default", level: Level.EDIT }];

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startTestRegistry({
    grants,
    env: {
      AIMASS_DATASET_MEMORY_MB: "384",
      AIMASS_DATASET_TIMEOUT_MS: "12000",
      AIMASS_DATASET_CONCURRENCY: "1",
      AIMASS_MAX_DATASET_COLUMNS: "4096",
    },
  });
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

async function add(dataset: string, file: Uint8Array, signal?: AbortSignal) {
  const clients = registry.as("user:ada");
  const sha256 = await upload(clients, file);
  return create(dataset, sha256, signal);
}

function create(dataset: string, sha256: Uint8Array, signal?: AbortSignal) {
  const options = { timeoutMs: 60_000, ...(signal && { signal }) };
  return registry.as("user:ada").datasets.createDatasetVersion({ dataset, sha256 }, options);
}

async function leavesNothing(dataset: string): Promise<void> {
  const error = await refusal(registry.as("user:ada").datasets.getDatasetVersion({ dataset }));
  expect(error.code).toBe("NOT_FOUND");
}

async function hasReaders(count: number): Promise<void> {
  await expect.poll(() => readingProcesses(), { timeout: 60_000 }).toHaveLength(count);
}

describe("a bomb", () => {
  const zeros = new Uint8Array(30 * mebibyte);

  it.each([
    ["a ZIP entry a thousand times its packed size", () => zipSync({ "a/1.png": zeros }), "zipRatio"],
    [
      "a PNG of sixty thousand pixels a side",
      () => zipSync({ "a/1.png": pngFile(1, 1, { width: 60_000, height: 60_000 }) }),
      "imageSide",
    ],
    [
      "a PNG of 256 million pixels",
      () => zipSync({ "a/1.png": pngFile(1, 1, { width: 16_000, height: 16_000 }) }),
      "imagePixels",
    ],
    ["a row of JSON without end", () => Buffer.from(`{"a":"${"x".repeat(2 * mebibyte)}`), "rowBytes"],
    [
      "a header of a hundred thousand columns",
      () => Buffer.from(`${Array.from({ length: 1e5 }, (_, i) => `c${i}`).join(",")}\n`),
      "columns",
    ],
    [
      "objects of ever new names",
      () => Buffer.from(Array.from({ length: 9000 }, (_, i) => `{"c${i}":1}\n`).join("")),
      "columns",
    ],
    [
      "a Parquet page of a few bytes with nine million rows",
      () =>
        parquetFile([{ name: "x", data: new Array<string>(9e6).fill("same"), type: "STRING" }], {
          rowGroupSize: 1e9,
          pageSize: 1e9,
        }),
      "parquetPageValues",
    ],
  ] as const)("%s is refused by the limit it breaks", async (_, file, field) => {
    const bytes = file();
    expect(await refusal(add("bomb", bytes))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "DATASET_LIMIT",
      field,
      remedy: expect.any(String),
    });
    await leavesNothing("bomb");
  });

  it.each([
    ["nested JSON", `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}\n`],
    ["a quote in CSV that is never closed", `a,b\n1,"${"x,y\n".repeat(mebibyte)}`],
    ["a ZIP inside a ZIP", zipSync({ "a/1.zip": zipSync({ "b.png": zeros }) })],
    [
      "a Parquet file whose footer lies",
      Buffer.concat([Buffer.from("PAR1"), Buffer.alloc(100), Buffer.from([255, 255, 255, 127]), Buffer.from("PAR1")]),
    ],
  ])("of %s is refused", async (_, file) => {
    expect(await refusal(add("bomb", Buffer.from(file)))).toMatchObject({ code: "INVALID_ARGUMENT" });
    await leavesNothing("bomb");
  });
});

describe.runIf(process.platform === "linux")("a file that eats memory within all limits", () => {
  it("ends with the process that read it, and the next one is read", async () => {
    const text = "x".repeat(500_000);
    const column = (name: string) => ({
      name,
      data: Array.from({ length: 240 }, (_, i) => text + i),
      type: "STRING" as const,
      encoding: "PLAIN" as const,
    });
    const bomb = parquetFile(["a", "b", "c", "d"].map(column), { pageSize: 1e9 });
    expect(bomb.byteLength).toBeLessThan(mebibyte);
    expect(await refusal(add("glutton", bomb))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "DATASET_TOO_LARGE",
      message: expect.stringContaining("384 MiB"),
    });
    await leavesNothing("glutton");
    expect((await add("modest", Buffer.from("a\n1\n"))).datasetVersion?.rows).toBe(1n);
  });
});

describe.runIf(process.platform === "linux")("a file that takes forever", () => {
  let sha256: Uint8Array;

  beforeAll(async () => {
    const file = endlessFile();
    expect(file.byteLength).toBeLessThan(mebibyte / 4);
    sha256 = await upload(registry.as("user:ada"), file);
    await add("beside", Buffer.from("a\n1\n"));
  });

  it("is ended in time, and nobody else waits for it", async () => {
    const { datasets } = registry.as("user:ada");
    let isOver = false;
    const reading = refusal(create("slow", sha256)).finally(() => {
      isOver = true;
    });
    await hasReaders(1);
    const waits: number[] = [];
    while (!isOver) {
      const startedAt = performance.now();
      await datasets.getDatasetVersion({ dataset: "beside" });
      waits.push(performance.now() - startedAt);
      await pause(50);
    }
    waits.sort((one, other) => one - other);
    expect(waits.length).toBeGreaterThan(5);
    expect(waits[waits.length >> 1]).toBeLessThan(300);
    expect(waits.at(-1)).toBeLessThan(3000);
    expect(await reading).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "DATASET_TOO_SLOW" });
    await hasReaders(0);
    await leavesNothing("slow");
  });

  it("lets others look at the first rows of theirs", async () => {
    const caller = new AbortController();
    const reading = refusal(create("slow", sha256, caller.signal));
    await hasReaders(1);
    const { rows } = await registry.as("user:ada").datasets.previewDataset({ dataset: "beside" });
    expect(rows).toHaveLength(1);
    caller.abort();
    await reading;
  });

  it("ends when its caller goes, and makes way for who waits", async () => {
    const caller = new AbortController();
    const reading = refusal(create("slow", sha256, caller.signal));
    await hasReaders(1);
    const waiting = add("next", Buffer.from("a\n2\n"));
    const startedAt = performance.now();
    caller.abort();
    expect((await reading).code).toBe("CANCELLED");
    expect((await waiting).datasetVersion?.version).toBe(1n);
    expect(performance.now() - startedAt).toBeLessThan(5000);
    await hasReaders(0);
    await leavesNothing("slow");
  });

  it("that crashes its reader is refused", async () => {
    const reading = refusal(create("slow", sha256));
    await hasReaders(1);
    process.kill((await readingProcesses())[0] as number, "SIGSEGV");
    expect(await reading).toMatchObject({ code: "INVALID_ARGUMENT", reason: "DATASET_CRASHES" });
    await leavesNothing("slow");
  });

  it("does not outlive the registry", async () => {
    const reading = refusal(create("slow", sha256));
    await hasReaders(1);
    await registry.restart();
    await reading;
    await hasReaders(0);
    await leavesNothing("slow");
  });
});

describe.runIf(process.platform === "linux")("an artifact that is removed while it is read", () => {
  it("becomes no version", async () => {
    const sha256 = Buffer.from(await upload(registry.as("user:ada"), Buffer.from(`a\n${"7\n".repeat(6e6)}`)));
    const digest = sha256.toString("hex");
    const reading = refusal(create("gone", sha256));
    await hasReaders(1);
    const blobs = join(registry.directory, "state", "artifacts", "blobs");
    await rm(join(blobs, digest.slice(0, 2), digest.slice(2, 4), digest));
    expect(await reading).toMatchObject({ code: "NOT_FOUND", reason: "ARTIFACT_NOT_FOUND" });
    await leavesNothing("gone");
  });
});
