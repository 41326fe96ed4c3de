import { randomBytes } from "node:crypto";
import { Level } from "@aimass/api/auth";
import type { DataRead, Event } from "@aimass/api/events";
import { systemClock } from "@aimass/core";
import { openEventBus } from "@aimass/events";
import { tinyModel } from "@aimass/onnx/samples";
import { openStore } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Clients, push, startTestRegistry, type TestRegistry, upload } from "../testing/test-registry.ts";

const grants = [
  { subject: "user:ada", resource: "default", level: Level.EDIT },
  { subject: "user:bob", resource: "default", level: Level.VIEW },
];

let registry: TestRegistry;
let model: Buffer;
const data = Buffer.from("a,b\n1,2\n3,4\n");

beforeAll(async () => {
  registry = await startTestRegistry({ grants });
  const ada = registry.as("user:ada");
  await ada.models.createModel({ name: "m" });
  await push(ada, "m", { "model.onnx": tinyModel(1), "notes.bin": randomBytes(3 * 1024 * 1024) });
  model = await upload(ada, tinyModel(1));
  await ada.datasets.createDatasetVersion({ dataset: "d", sha256: await upload(ada, data) }, { timeoutMs: 60_000 });
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

async function read(clients: Clients, sha256: Uint8Array): Promise<number> {
  let bytes = 0;
  for await (const { chunk } of clients.artifacts.readArtifact({ sha256 })) bytes += chunk.byteLength;
  return bytes;
}

const quietly = (call: Promise<unknown>) => call.catch(() => undefined);

/** Reads that were told to the ledger so far. */
async function toldReads(count: number): Promise<unknown[]> {
  const events: Event[] = [];
  const url = registry.databaseUrl;
  await using store = await openStore({ url, schema: "listener", migrations: [] });
  const identity = registry.identity("trainer");
  const telemetry = silentTelemetry();
  await using bus = await openEventBus({ identity, store, databaseUrl: url, clock: systemClock, telemetry });
  const ended = new AbortController();
  const handle = async (event: Event) => void events.push(event);
  await bus.subscribe({ consumer: `reads-${count}`, kinds: ["dataRead"], signal: ended.signal, handle });
  await expect.poll(() => events.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
  await new Promise((resolve) => setTimeout(resolve, 300));
  ended.abort();
  expect(events.every(({ audited }) => audited)).toBe(true);
  return events.map(({ actor, resource, payload }) => {
    const { preview, allowed } = payload.value as DataRead;
    return [actor, resource, preview ? "preview" : "file", allowed];
  });
}

it("who read a file or rows of a dataset, and who was refused them, is told to the ledger once; services and what is not there are not", async () => {
  const [ada, bob, eve] = [registry.as("user:ada"), registry.as("user:bob"), registry.as("user:eve")];
  const [version] = (await ada.models.listVersions({ model: "m" })).versions;
  const notes = version?.files.find((file) => file.path === "notes.bin")?.sha256 ?? expect.fail();
  for (const _ of [1, 2]) expect(await read(ada, notes)).toBe(3 * 1024 * 1024);
  await quietly(read(eve, model));
  await quietly(read(eve, randomBytes(32)));
  await read(registry.service("trainer"), model);
  for (const _ of [1, 2]) await ada.datasets.previewDataset({ dataset: "d", rows: 1 });
  await quietly(bob.datasets.previewDataset({ dataset: "d", rows: 1 }));
  await quietly(eve.datasets.previewDataset({ dataset: "d", rows: 1 }));
  await quietly(eve.datasets.previewDataset({ dataset: "none", rows: 1 }));
  expect(await toldReads(5)).toEqual([
    ["user:ada", "default.m", "file", true],
    ["user:eve", `sha256:${model.toString("hex")}`, "file", false],
    ["user:ada", "default.d", "preview", true],
    ["user:bob", "default.d", "preview", false],
    ["user:eve", "default.d", "preview", false],
  ]);
});

it("a read whose entry cannot be written goes on as ever", async () => {
  const database = new pg.Client({ connectionString: registry.databaseUrl });
  await database.connect();
  await database.query("alter table registry.outbox rename to gone");
  try {
    expect(await read(registry.as("user:root"), model)).toBeGreaterThan(0);
  } finally {
    await database.query("alter table registry.gone rename to outbox");
    await database.end();
  }
});
