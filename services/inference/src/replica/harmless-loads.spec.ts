import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Version } from "@aimass/api/registry";
import { type LoadedVersion, LoadState } from "@aimass/api/scheduler";
import type { Tensor } from "@aimass/oip";
import { mlpModel, slowRowsModel, wideOutputModel } from "@aimass/onnx/samples";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ChildService } from "../spec-support/child-service.ts";
import { ControlPlane } from "../spec-support/control-plane.ts";
import { affineModel, crashingModel, imageModel, threeRowsModel } from "../spec-support/models.ts";
import { ReplicaClient } from "../spec-support/replica-client.ts";
import { until } from "../spec-support/until.ts";

const replicaId = "node-a/cpu-0";
const mebibyte = 2 ** 20;
const patience = 120_000;

let plane: ControlPlane;
const held: Version[] = [];

beforeEach(async () => {
  plane = await ControlPlane.start();
  held.length = 0;
});

afterEach(async () => {
  await plane[Symbol.asyncDispose]();
});

const start = (env: Record<string, string> = {}) =>
  ChildService.start("replica-main.ts", { ...plane.env(), AIMASS_DEVICE: "cpu:0-1", ...env });
const clientOf = (replica: ChildService) =>
  new ReplicaClient(replica.address("rpc"), () => plane.token("router")).ready();

const affine = { bytes: affineModel(), inputs: ["x FP32 -1,4"], outputs: ["y FP32 -1,4"], batchable: true };
const rows = (count: number, width: number): Tensor => ({
  name: "x",
  datatype: "FP32",
  shape: [count, width],
  bytes: new Uint8Array(4 * count * width),
});

function reported(model: string): LoadedVersion | undefined {
  return plane.replicas.get(replicaId)?.loaded.find((loaded) => loaded.model === model);
}

async function serve(
  model: string,
  file: Omit<Parameters<ControlPlane["publish"]>[0], "model">,
): Promise<LoadedVersion> {
  held.push(plane.publish({ model, ...file }));
  plane.assign(replicaId, held);
  const settled = [LoadState.READY, LoadState.FAILED];
  const isSettled = () => {
    const loaded = reported(model);
    return loaded !== undefined && settled.includes(loaded.state) ? loaded : undefined;
  };
  return until(`${model} settled`, isSettled, patience);
}

/** Calls a model 50 times a second until told to stop; gives the milliseconds of each. */
function traffic(client: ReplicaClient) {
  const times: number[] = [];
  const failures: string[] = [];
  const calls = new Set<Promise<void>>();
  const timer = setInterval(() => {
    const startedAt = performance.now();
    const call = client.infer("affine", [rows(1, 4)]).then(
      () => void times.push(performance.now() - startedAt),
      (error: Error) => void failures.push(error.message),
    );
    calls.add(call.finally(() => calls.delete(call)));
  }, 20);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(calls);
      times.sort((a, b) => a - b);
      return {
        failures,
        count: times.length,
        p99: times[Math.floor(times.length * 0.99)] ?? 0,
      };
    },
  };
}

describe.runIf(process.arch === "x64")("a replica with 50 calls a second", () => {
  it("loads a slow, a wide and a crashing model beside them, and none of the calls fails or waits long", async () => {
    await using replica = await start();
    using client = await clientOf(replica);
    await serve("affine", affine);
    const quiet = traffic(client);
    await sleep(3000);
    const before = await quiet.stop();
    const calls = traffic(client);
    const slow = await serve("slow", {
      bytes: slowRowsModel(),
      inputs: ["x FP32 -1,4"],
      outputs: ["y FP32 -1,4"],
      batchable: true,
      serving: { runLimitMs: 20_000 },
    });
    expect(slow).toMatchObject({ state: LoadState.READY, reason: "" });
    const wide = await serve("wide", {
      bytes: wideOutputModel(31_000_000),
      inputs: ["x FP32 -1,1"],
      outputs: ["y FP32 -1,31000000"],
      batchable: true,
    });
    expect(wide).toMatchObject({ state: LoadState.READY, reason: "" });
    const crashing = await serve("crashing", {
      bytes: crashingModel(),
      inputs: ["x INT32 -1,1"],
      outputs: ["y INT32 -1,1"],
    });
    expect(crashing).toMatchObject({
      state: LoadState.FAILED,
      reason: expect.stringMatching(/crashes the runtime on 1 row \(SIG/),
    });
    const { failures, count, p99 } = await calls.stop();
    expect(failures).toEqual([]);
    expect(count).toBeGreaterThan(50);
    // A run of the slow one takes a second; what is allowed on top is what other processes do to a test machine.
    expect(p99).toBeLessThan(2 * before.p99 + 900);
    expect(replica.process.exitCode).toBeNull();
  }, 300_000);
});

describe("a version that is too slow", () => {
  it("is refused with its limit when a single row passes it, and the replica lives", async () => {
    await using replica = await start();
    const model = {
      bytes: slowRowsModel(6_000_000),
      inputs: ["x FP32 -1,4"],
      outputs: ["y FP32 -1,4"],
      batchable: true,
    };
    const loaded = await serve("slow", { ...model, serving: { runLimitMs: 300 } });
    expect(loaded.state).toBe(LoadState.FAILED);
    expect(loaded.reason).toMatch(
      /^default\.slow\/1 passed its run limit with a single row, .*: run_limit_ms is 300\. /,
    );
    expect(replica.process.exitCode).toBeNull();
    expect((await serve("affine", affine)).state).toBe(LoadState.READY);
  }, 300_000);

  it("gets no batches that take more than a quarter of its limit, and says so", async () => {
    await using replica = await start();
    using client = await clientOf(replica);
    const model = { bytes: slowRowsModel(), inputs: ["x FP32 -1,4"], outputs: ["y FP32 -1,4"], batchable: true };
    const loaded = await serve("slow", { ...model, serving: { runLimitMs: 3000 } });
    expect(loaded).toMatchObject({ state: LoadState.READY, maxBatchSize: 1 });
    expect(loaded.batchLimit).toMatch(/^2 rows would take \d+ ms, more than a quarter of run_limit_ms \(3000\)$/);
    const config = await client.rest("GET", "/v2/models/slow/config", { model: "slow" });
    expect(JSON.parse(String(config.body))).toMatchObject({ max_batch_size: 1 });
    const metadata = await client.rest("GET", "/v2/models/slow", { model: "slow" });
    expect(JSON.parse(String(metadata.body)).properties).toMatchObject({
      max_batch_size: "1",
      batch_limit: loaded.batchLimit,
    });
  }, 300_000);
});

describe("a version that takes memory", () => {
  const image = (side: number) => ({
    bytes: imageModel(side),
    inputs: [`x FP32 -1,3,${side},${side}`],
    outputs: ["y FP32 -1,64,1,1"],
    batchable: true,
    memoryBytes: mebibyte,
  });

  it("gets the batches that a quarter of what is left has room for, and what it takes is booked", async () => {
    const limit = 1024 * mebibyte;
    await using replica = await start({ AIMASS_REPLICA_MEMORY_BYTES: String(limit) });
    using client = await clientOf(replica);
    await serve("affine", affine);
    const before = await residentBytes(replica);
    const loaded = await serve("image", image(256));
    expect(loaded).toMatchObject({ state: LoadState.READY, batchLimit: expect.stringContaining("of memory") });
    expect(loaded.maxBatchSize).toBeGreaterThan(1);
    expect(loaded.maxBatchSize).toBeLessThan(32);
    const batch = { name: "x", datatype: "FP32", shape: [loaded.maxBatchSize, 3, 256, 256] } as const;
    await client.infer("image", [{ ...batch, bytes: new Uint8Array(4 * 3 * 256 * 256 * loaded.maxBatchSize) }]);
    const grown = (await residentBytes(replica)) - before;
    // The bodies of requests and what the process needs for them come on top of what runs take.
    expect(grown / Number(loaded.memoryBytes)).toBeLessThan(1.5);
    expect(Number(loaded.leastMemoryBytes)).toBeLessThan(Number(loaded.memoryBytes));
    expect(Number(plane.replicas.get(replicaId)?.memoryBytesUsed)).toBeGreaterThan(Number(loaded.memoryBytes));
  }, 300_000);

  it("is refused when a single row takes more than is left, and the replica lives", async () => {
    await using _replica = await start({ AIMASS_REPLICA_MEMORY_BYTES: String(512 * mebibyte) });
    const loaded = await serve("image", image(1024));
    expect(loaded.state).toBe(LoadState.FAILED);
    expect(loaded.reason).toMatch(
      /needs more memory for a single row than the \d+\.\d MiB that are left on this replica/,
    );
    expect((await serve("affine", affine)).state).toBe(LoadState.READY);
  }, 300_000);
});

describe("a request of more rows than the largest batch", () => {
  it("is refused before it takes the replica past its memory, and one that fits runs alone", async () => {
    await using replica = await start({ AIMASS_REPLICA_MEMORY_BYTES: String(1024 * mebibyte) });
    using client = await clientOf(replica);
    const image = {
      bytes: imageModel(128),
      inputs: ["x FP32 -1,3,128,128"],
      outputs: ["y FP32 -1,64,1,1"],
      batchable: true,
    };
    const { maxBatchSize } = await serve("image", { ...image, serving: { maxBatchSize: 4 } });
    expect(maxBatchSize).toBe(4);
    const ask = (count: number) =>
      client.infer("image", [
        { name: "x", datatype: "FP32", shape: [count, 3, 128, 128], bytes: new Uint8Array(4 * 3 * 128 * 128 * count) },
      ]);
    expect((await ask(8)).outputs[0]?.shape).toEqual([8, 64, 1, 1]);
    await expect(ask(300)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(
        /^This request has 300 rows; to run them at once would take about .* MiB of memory, and .* MiB are left\. Send fewer rows/,
      ),
    });
    expect((await ask(4)).outputs[0]?.shape).toEqual([4, 64, 1, 1]);
  }, 300_000);

  it("is refused before it takes the replica past its run limit", async () => {
    await using replica = await start();
    using client = await clientOf(replica);
    const mlp = {
      bytes: mlpModel({ layers: [16, 2048, 2048, 2048, 8], seed: 1 }),
      inputs: ["x FP32 -1,16"],
      outputs: ["y FP32 -1,8"],
    };
    const { state } = await serve("mlp", { ...mlp, batchable: true, serving: { runLimitMs: 2000 } });
    expect(state).toBe(LoadState.READY);
    await expect(client.infer("mlp", [rows(400_000, 16)])).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(
        /^This request has 400000 rows; .*run_limit_ms \(2000\)\. Send fewer rows a request: 32 are a batch here\.$/,
      ),
    });
    expect((await client.infer("mlp", [rows(100, 16)])).outputs[0]?.shape).toEqual([100, 8]);
  }, 300_000);
});

describe("a version that refuses a size of batch", () => {
  it("is served with the largest that ran", async () => {
    await using replica = await start();
    using client = await clientOf(replica);
    const file = { bytes: threeRowsModel(), inputs: ["x FP32 -1,2"], outputs: ["y FP32 -1,2"], batchable: true };
    const loaded = await serve("three", file);
    expect(loaded).toMatchObject({ state: LoadState.READY, maxBatchSize: 3 });
    expect(loaded.batchLimit).toMatch(/^4 rows were refused: /);
    const answers = await Promise.all(Array.from({ length: 40 }, () => client.infer("three", [rows(1, 2)])));
    for (const { outputs } of answers) expect(outputs[0]?.shape).toEqual([1, 2]);
  }, 300_000);
});

describe("a replica that starts again", () => {
  it("loads what it served before first, and what ran when it died last", async () => {
    const slow = { bytes: slowRowsModel(), inputs: ["x FP32 -1,4"], outputs: ["y FP32 -1,4"], batchable: true };
    {
      await using first = await start();
      using client = await clientOf(first);
      await serve("suspect", { ...slow, serving: { runLimitMs: 60_000 } });
      await serve("affine", affine);
      client.infer("suspect", [rows(1, 4)]).catch(() => {});
      await sleep(200);
      await first.end("SIGKILL");
    }
    plane.replicas.clear();
    const unknown = plane.publish({ model: "unknown", version: 2, ...slow, bytes: slowRowsModel(500_000) });
    plane.assign(replicaId, [held[0] as Version, unknown, held[1] as Version]);
    const readyInOrder: string[] = [];
    await using _second = await start();
    const noteReady = () => {
      for (const { model, state } of plane.replicas.get(replicaId)?.loaded ?? [])
        if (state === LoadState.READY && !readyInOrder.includes(model)) readyInOrder.push(model);
      return readyInOrder.length === 3;
    };
    await until("all are ready", noteReady, patience);
    expect(readyInOrder).toEqual(["affine", "unknown", "suspect"]);
  }, 300_000);
});

async function residentBytes(replica: ChildService): Promise<number> {
  const statm = await readFile(`/proc/${replica.process.pid}/statm`, "utf8");
  return Number(statm.split(" ")[1]) * 4096;
}
