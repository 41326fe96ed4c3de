import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JobSpecSchema } from "@aimass/api/trainer";
import { systemClock } from "@aimass/core";
import { defaultLimits } from "@aimass/datasets";
import { createMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { closeServiceClients } from "@aimass/rpc";
import { silentTelemetry } from "@aimass/telemetry";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkSpec, fitSpec } from "../jobs/job-spec.ts";
import { RegistryLibrary } from "../library/registry-library.ts";
import { type SmallRegistry, startSmallRegistry } from "../testing/small-registry.ts";
import type { WorkerMessage } from "./worker-message.ts";
import { startWorker } from "./worker-process.ts";

type Init = Exclude<MessageInitShape<typeof JobSpecSchema>, { $typeName: string }>;

/** Heap limit of the worker. The rows as a matrix would be larger than that. */
const tableMemoryMb = 64;
/** Of text, beside which words and sentences of a batch are kept. */
const textMemoryMb = 80;
/** What a process takes that loads Node, gRPC and ONNX Runtime, beside that heap and a batch of rows; as matrices and tables in memory these rows need more. */
const mostMemory = 576 * 2 ** 20;

let directory: string;
let registry: SmallRegistry;

const files = () => ({
  identityFile: join(directory, "trainer.identity.json"),
  trustFile: join(directory, "trust.json"),
});

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "aimass-test-"));
  await createMeshIdentity(directory, ["registry", "trainer"]);
  const identity = await ServiceIdentity.load(
    join(directory, "registry.identity.json"),
    files().trustFile,
    systemClock,
  );
  registry = await startSmallRegistry(identity);
});

afterAll(async () => {
  await registry.server.drain(0);
  closeServiceClients();
  await rm(directory, { recursive: true });
});

/** Whole numbers below `limit`, the same ones each time. */
function numbersBelow(limit: number): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Numbers that a line goes through, and one bit that follows from them. */
function table(rows: number, columns: number): string {
  const next = numbersBelow(100);
  const names = Array.from({ length: columns }, (_, c) => `c${c}`);
  const lines = [`${names.join(",")},value,side`];
  for (let row = 0; row < rows; row++) {
    const cells = names.map(next);
    const value = cells.reduce((sum, cell, c) => sum + (c % 5) * cell, 0);
    lines.push(`${cells.join(",")},${value},${value > 99 * columns ? "high" : "low"}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Sentences of 300 words, of which one tells. */
function texts(rows: number): string {
  const next = numbersBelow(300);
  const lines = ["text,mood"];
  for (let row = 0; row < rows; row++) {
    const words = Array.from({ length: 24 }, () => `word${next()}`);
    words[row % 24] = row % 2 === 0 ? "splendid" : "dreadful";
    lines.push(`${words.join(" ")},${row % 2 === 0 ? "good" : "bad"}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Runs a job in a real worker; gives back what it told and the most memory it had. */
async function train(dataset: string, change: Init, memoryMb = tableMemoryMb) {
  const own = await mkdtemp(join(directory, "job-"));
  const { identityFile, trustFile } = files();
  const identity = await ServiceIdentity.load(identityFile, trustFile, systemClock);
  const registryAddresses = [registry.address];
  const options = { addresses: registryAddresses, identity, onBehalfOf: "user:ada", clock: systemClock };
  const version = await new RegistryLibrary({ ...options, telemetry: silentTelemetry() }).dataset(
    "default",
    dataset,
    0n,
  );
  const resolved = fitSpec(checkSpec(create(JobSpecSchema, { dataset, model: dataset, ...change })), version);
  const worker = startWorker(
    {
      kind: "run",
      jobId: `job-${dataset}-${change.recipe}`,
      spec: toBinary(JobSpecSchema, resolved),
      createdBy: "user:ada",
      traceparent: "",
      identityFile,
      trustFile,
      registryAddresses,
      directory: own,
      threads: 1,
      gpus: [],
      datasetLimits: defaultLimits,
      points: 100,
      checkpointDirectory: own,
      checkpointFile: undefined,
    },
    { memoryMb, env: { PATH: process.env.PATH, LOG: "silent" }, clock: systemClock },
  );
  const told: WorkerMessage[] = [];
  let mostBytes = 0;
  for await (const message of worker.messages) {
    told.push(message);
    const status = await readFile(`/proc/${worker.pid}/status`, "utf8").catch(() => "");
    mostBytes = Math.max(mostBytes, 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
  }
  await worker.exited;
  return { told, mostBytes, logs: told.flatMap((message) => (message.kind === "log" ? [message.line] : [])) };
}

describe("rows that are larger than a worker's memory", () => {
  it.each([
    ["linear", "value", "r2", 0.999],
    ["gradient-boosting", "side", "accuracy", 0.75],
  ] as const)(
    "of a table are trained on by %s",
    async (recipe, target, metric, least) => {
      registry.addDataset("table", table(100_000, 60));
      const features = Array.from({ length: 60 }, (_, c) => `c${c}`);
      const parameters = recipe === "gradient-boosting" ? { iterations: 20 } : {};
      const { told, logs, mostBytes } = await train("table", {
        recipe,
        target,
        features,
        parameters,
        importanceRepeats: -1,
      });
      const last = told.at(-1);
      expect(last).toMatchObject({ kind: "succeeded" });
      expect(last?.kind === "succeeded" && last.metrics[metric]).toBeGreaterThan(least);
      expect(logs).toContain("The rows do not fit into memory; they are read from disk for every pass.");
      expect(mostBytes).toBeLessThan(mostMemory);
    },
    240_000,
  );

  it("of text are trained on", async () => {
    registry.addDataset("texts", texts(60_000));
    const { told, logs, mostBytes } = await train(
      "texts",
      { recipe: "logistic-regression", target: "mood" },
      textMemoryMb,
    );
    const last = told.at(-1);
    expect(last).toMatchObject({ kind: "succeeded" });
    expect(last?.kind === "succeeded" && last.metrics.accuracy).toBeGreaterThan(0.99);
    expect(logs).toContain("The rows do not fit into memory; they are read from disk for every pass.");
    expect(mostBytes).toBeLessThan(mostMemory);
  }, 240_000);
});
