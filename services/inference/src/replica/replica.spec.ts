import type { Version } from "@aimass/api/registry";
import { type LoadedVersion, LoadState } from "@aimass/api/scheduler";
import {
  bytesFromElements,
  type Datatype,
  datatypes,
  elementSize,
  noParameters,
  stringElements,
  type Tensor,
} from "@aimass/oip";
import { echoModel } from "@aimass/onnx/samples";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ChildService } from "../spec-support/child-service.ts";
import { ControlPlane } from "../spec-support/control-plane.ts";
import { affineModel, lookupModel, mixingModel, slowModel } from "../spec-support/models.ts";
import { ReplicaClient } from "../spec-support/replica-client.ts";
import { until } from "../spec-support/until.ts";

const replicaId = "node-a/cpu-0";

let plane: ControlPlane;
let replica: ChildService;
let client: ReplicaClient;
const held: Version[] = [];

beforeAll(async () => {
  plane = await ControlPlane.start();
  replica = await ChildService.start("replica-main.ts", {
    ...plane.env(),
    AIMASS_DEVICE: "cpu:0-1",
    AIMASS_REPLICA_MEMORY_BYTES: String(2 ** 31),
  });
  client = await new ReplicaClient(replica.address("rpc"), () => plane.token("router")).ready();
});

afterAll(async () => {
  client?.[Symbol.dispose]();
  await replica?.[Symbol.asyncDispose]();
  await plane?.[Symbol.asyncDispose]();
});

function reported(model: string): LoadedVersion | undefined {
  return plane.replicas.get(replicaId)?.loaded.find((l) => l.model === model);
}

/** Assigns a version beside those already held and waits until it is ready, or has failed. */
async function serve(version: Version): Promise<LoadedVersion> {
  held.push(version);
  plane.assign(replicaId, held);
  return until(`${version.model} settled`, () => {
    const loaded = reported(version.model);
    return loaded?.state === LoadState.READY || loaded?.state === LoadState.FAILED ? loaded : undefined;
  });
}

const floats = (shape: readonly number[], values: readonly number[], name = "x"): Tensor => ({
  name,
  datatype: "FP32",
  shape,
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});

const longs = (shape: readonly number[], values: readonly bigint[], name: string): Tensor => ({
  name,
  datatype: "INT64",
  shape,
  bytes: new Uint8Array(BigInt64Array.from(values).buffer),
});

const floatsOf = (tensor: Tensor | undefined) => [...new Float32Array(new Uint8Array(tensor?.bytes ?? []).buffer)];

/** Bytes of `count` elements that every type can hold unchanged. */
function sampleBytes(datatype: Datatype, count: number): Uint8Array {
  if (datatype === "BYTES") return bytesFromElements(Array.from({ length: count }, (_, i) => `Grüße ${i}`));
  if (datatype === "BOOL") return Uint8Array.from({ length: count }, (_, i) => i % 2);
  const size = elementSize(datatype);
  return Uint8Array.from({ length: count * size }, (_, i) => (i % size === size - 1 ? 0x3f : (i * 37) % 128));
}

describe("a replica that was assigned a model", () => {
  it.each(datatypes)("carries %s unchanged: a matrix, an empty one and a scalar", async (datatype) => {
    const name = `echo-${datatype.toLowerCase()}`;
    const matrix = plane.publish({
      model: name,
      bytes: echoModel(datatype, ["N", 2]),
      inputs: [`x ${datatype} -1,2`],
      outputs: [`y ${datatype} -1,2`],
      batchable: true,
    });
    const scalar = plane.publish({
      model: `${name}-0`,
      bytes: echoModel(datatype, []),
      inputs: [`x ${datatype}`],
      outputs: [`y ${datatype}`],
    });
    expect((await serve(matrix)).reason).toBe("");
    expect((await serve(scalar)).reason).toBe("");
    for (const [model, shape, count] of [
      [name, [3, 2], 6],
      [name, [0, 2], 0],
      [`${name}-0`, [], 1],
    ] as const) {
      const bytes = sampleBytes(datatype, count);
      const { outputs } = await client.infer(model, [{ name: "x", datatype, shape, bytes }]);
      expect(outputs[0]).toMatchObject({ name: "y", datatype, shape });
      expect(Buffer.from(outputs[0]?.bytes ?? []).equals(bytes)).toBe(true);
    }
  });

  it("reports it ready, warm and with the digest of its probe", async () => {
    const loaded = await serve(
      plane.publish({
        model: "affine",
        bytes: affineModel(),
        inputs: ["x FP32 -1,4"],
        outputs: ["y FP32 -1,4"],
        batchable: true,
      }),
    );
    expect(loaded.state).toBe(LoadState.READY);
    expect(loaded.parityDigest.length).toBe(32);
    expect(loaded.memoryBytes).toBeGreaterThan(0n);
    expect(loaded.loadMicros).toBeGreaterThan(0n);
  });

  it("answers with the version that served and the id that was asked with", async () => {
    const response = await client.infer("affine", [floats([1, 4], [1, 2, 3, 4])], { id: "seven" });
    expect(response).toMatchObject({ modelName: "affine", modelVersion: "1", id: "seven" });
    expect(floatsOf(response.outputs[0])).toEqual([3, 5, 7, 9]);
  });

  it("joins requests that come together and gives each its own rows", async () => {
    const before = await executions("affine");
    const sizes = Array.from({ length: 200 }, (_, i) => 1 + (i % 3));
    await Promise.all(
      sizes.map(async (rows, i) => {
        const values = Array.from({ length: rows * 4 }, (_, j) => i + j / 8);
        const { outputs } = await client.infer("affine", [floats([rows, 4], values)]);
        expect(outputs[0]?.shape).toEqual([rows, 4]);
        expect(floatsOf(outputs[0])).toEqual(values.map((v) => v * 2 + 1));
      }),
    );
    const after = await executions("affine");
    expect(after.inferences - before.inferences).toBe(sizes.reduce((a, b) => a + b, 0));
    expect(after.executions - before.executions).toBeLessThan(sizes.length / 2);
  });

  it("lets one bad request of a batch fail alone", async () => {
    await serve(
      plane.publish({
        model: "lookup",
        bytes: lookupModel(),
        inputs: ["index INT64 -1"],
        outputs: ["y FP32 -1"],
        batchable: true,
      }),
    );
    const answers = await Promise.allSettled(
      Array.from({ length: 60 }, (_, i) =>
        client.infer("lookup", [longs([1], [i === 31 ? 99n : BigInt(i % 3)], "index")]),
      ),
    );
    answers.forEach((answer, i) => {
      if (i === 31) expect(answer).toMatchObject({ status: "rejected", reason: { code: "INVALID_ARGUMENT" } });
      else expect(answer.status === "fulfilled" && floatsOf(answer.value.outputs[0])).toEqual([10 + 10 * (i % 3)]);
    });
  });

  it("gives up batching for a model that mixes its rows", async () => {
    await serve(
      plane.publish({
        model: "mixing",
        bytes: mixingModel(),
        inputs: ["x FP32 -1,2"],
        outputs: ["y FP32 1,2"],
        batchable: true,
      }),
    );
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => client.infer("mixing", [floats([1, 2], [i, i / 2])])),
    );
    answers.forEach((answer, i) => {
      expect(floatsOf(answer.outputs[0])).toEqual([i, i / 2]);
    });
  });

  it("says what is wrong with an input, and with an output nobody has", async () => {
    await expect(client.infer("affine", [floats([1, 4], [1, 2, 3, 4], "z")])).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: 'The model has no input "z". It takes x FP32[-1,4].',
    });
    await expect(
      client.infer("affine", [floats([1, 4], [1, 2, 3, 4])], { outputs: [{ name: "q" }] }),
    ).rejects.toMatchObject({ message: expect.stringContaining('no output "q"') });
    await expect(client.grpc("ModelInfer", Buffer.from("garbage"))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("answers classes when asked for them", async () => {
    const { outputs } = await client.infer("affine", [floats([2, 4], [1, 4, 2, 3, 9, 8, 7, 6])], {
      outputs: [{ name: "y", classification: 2 }],
    });
    expect(outputs[0]).toMatchObject({ datatype: "BYTES", shape: [2, 2] });
    expect(stringElements(outputs[0]?.bytes ?? new Uint8Array())).toEqual(["9:1", "7:3", "19:0", "17:1"]);
  });

  it("refuses requests above the queue's limit with a delay, and those whose deadline passes in the queue", async () => {
    const serving = { queueLimit: 2, runLimitMs: 20_000 };
    await serve(
      plane.publish({ model: "slow", bytes: slowModel(), inputs: ["steps INT64"], outputs: ["y FP32 1"], serving }),
    );
    const long = () => client.infer("slow", [longs([], [300_000n], "steps")]);
    const running = [long(), long()];
    await until("two runs are under way", async () => (await client.rest("GET", "/v2", {})).status === 200);
    const late = client.infer("slow", [longs([], [1n], "steps")], { timeout: "60m" });
    await expect(late).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    const crowd = await Promise.allSettled(
      Array.from({ length: 6 }, () => client.infer("slow", [longs([], [1n], "steps")])),
    );
    const refused = crowd.flatMap((c) => (c.status === "rejected" ? [c.reason] : []));
    expect(refused.length).toBeGreaterThan(0);
    for (const reason of refused)
      expect(reason).toMatchObject({ code: "RESOURCE_EXHAUSTED", retryAfterMs: expect.any(Number) });
    for (const answer of await Promise.all(running)) expect(floatsOf(answer.outputs[0])).toEqual([300_000]);
  });

  it("serves requests by their priority where the version has levels, and takes any other for the usual one", async () => {
    const file = { bytes: slowModel(), inputs: ["steps INT64"], outputs: ["y FP32 1"] };
    await serve(plane.publish({ model: "ranked", ...file, serving: { priorityLevels: 2 } }));
    const answered: string[] = [];
    const ask = async (name: string, priority: bigint) => {
      const parameters = new Map([["priority", { kind: "uint64", value: priority } as const]]);
      await client.infer("ranked", [longs([], [200_000n], "steps")], { parameters });
      answered.push(name);
    };
    const usual = Array.from({ length: 8 }, (_, i) => ask(`usual ${i}`, [0n, 2n, 99n][i % 3] ?? 0n));
    await Promise.all([...usual, ask("urgent", 1n)]);
    expect(answered.indexOf("urgent")).toBeLessThan(5);
    expect(answered.filter((name) => name !== "urgent")).toHaveLength(8);
    const config = await client.rest("GET", "/v2/models/ranked/config", { model: "ranked" });
    expect(JSON.parse(config.body.toString())).toMatchObject({ name: "ranked" });
  });

  it("answers each message of a stream by itself, errors in-band", async () => {
    const message = (id: string, name: string) => ({
      modelName: "affine",
      modelVersion: "",
      id,
      parameters: noParameters,
      inputs: [floats([1, 4], [Number(id), 0, 0, 0], name)],
      outputs: [],
    });
    const sent = Array.from({ length: 150 }, (_, i) => message(String(i), i % 10 === 3 ? "z" : "x"));
    const { answers, trailers } = await client.stream("affine", sent);
    expect(trailers["grpc-status"]).toBe("0");
    const good = answers.flatMap((a) => a.response ?? []);
    expect(good.map((r) => Number(r.id)).sort((a, b) => a - b)).toEqual(
      sent.flatMap((_, i) => (i % 10 === 3 ? [] : [i])),
    );
    for (const response of good) expect(floatsOf(response.outputs[0])[0]).toBe(2 * Number(response.id) + 1);
    const bad = answers.filter((a) => a.errorMessage !== "");
    expect(bad).toHaveLength(15);
    expect(bad[0]?.errorMessage).toMatch(/^\[request id: \d+\] The model has no input "z"/);
  });

  it("tells an input of the batch axis alone with that axis, as Triton's tools need it", async () => {
    const published = { bytes: echoModel("FP32"), inputs: ["x FP32 -1"], outputs: ["y FP32 -1"], batchable: true };
    expect((await serve(plane.publish({ model: "column", ...published }))).reason).toBe("");
    const { body } = await client.rest("GET", "/v2/models/column/config", { model: "column" });
    const config = JSON.parse(String(body));
    expect(config).toMatchObject({ max_batch_size: 0, input: [{ dims: [-1] }], output: [{ dims: [-1] }] });
    expect(config).not.toHaveProperty("dynamic_batching");
  });

  it("serves REST: JSON, binary, predict, metadata, config and statistics", async () => {
    const json = { id: "a", inputs: [{ name: "x", shape: [1, 4], datatype: "FP32", data: [1, 2, 3, 4] }] };
    const infer = await client.rest("POST", "/v2/models/affine/infer", { model: "affine", body: JSON.stringify(json) });
    expect(JSON.parse(String(infer.body))).toEqual({
      model_name: "affine",
      model_version: "1",
      id: "a",
      outputs: [{ name: "y", shape: [1, 4], datatype: "FP32", data: [3, 5, 7, 9] }],
    });
    expect(infer.trailers).toMatchObject({ "aimass-version": "1", "aimass-queue-depth": "0" });
    const header = JSON.stringify({
      inputs: [{ name: "x", shape: [1, 4], datatype: "FP32", parameters: { binary_data_size: 16 } }],
      parameters: { binary_data_output: true },
    });
    const body = Buffer.concat([Buffer.from(header), Buffer.from(Float32Array.of(1, 2, 3, 4).buffer)]);
    const binary = await client.rest("POST", "/v2/models/affine/infer", {
      model: "affine",
      body,
      headers: { "inference-header-content-length": String(header.length) },
    });
    const jsonLength = Number(binary.headers["inference-header-content-length"]);
    expect([...new Float32Array(new Uint8Array(binary.body.subarray(jsonLength)).buffer)]).toEqual([3, 5, 7, 9]);
    const predict = await client.rest("POST", "/models/affine/predict", {
      model: "affine",
      body: '{"inputs": [[0, 0, 0, 1]]}',
    });
    expect(JSON.parse(String(predict.body))).toEqual({ predictions: [[1, 1, 1, 3]] });
    const csv = async (headers: Record<string, string>) =>
      client.rest("POST", "/models/affine/predict", { model: "affine", body: "a,b,c,d\n0,0,0,1\n1,2,3,4\n", headers });
    const table = await csv({ "content-type": "text/csv; charset=utf-8" });
    expect(JSON.parse(String(table.body)).predictions).toEqual([
      [1, 1, 1, 3],
      [3, 5, 7, 9],
    ]);
    const written = await csv({ "content-type": "text/csv", accept: "text/csv" });
    expect(written.headers["content-type"]).toBe("text/csv; charset=utf-8");
    expect(String(written.body)).toBe("y_0,y_1,y_2,y_3\n1,1,1,3\n3,5,7,9\n");
    const parquet = await csv({ "content-type": "application/vnd.apache.parquet" });
    expect(parquet.status).toBe(415);
    expect(String(parquet.body)).toContain("text/csv");
    const get = async (path: string) => JSON.parse(String((await client.rest("GET", path, { model: "affine" })).body));
    expect(await get("/v2/models/affine")).toMatchObject({
      name: "affine",
      versions: ["1"],
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
    });
    expect(await get("/v2/models/affine/config")).toMatchObject({
      max_batch_size: 32,
      input: [{ name: "x", data_type: "TYPE_FP32", dims: [4] }],
    });
    const [stats] = (await get("/v2/models/affine/stats")).model_stats;
    expect(stats).toMatchObject({
      version: "1",
      inference_stats: { success: { count: expect.any(Number) }, cache_miss: { count: 0 } },
    });
    expect(
      (await client.rest("GET", "/v2/models/affine/versions/7/ready", { model: "affine", version: 7 })).status,
    ).toBe(400);
    expect((await client.rest("POST", "/v2/models/affine/infer", { model: "affine", body: "{" })).status).toBe(400);
  });
});

describe("a replica", () => {
  it("refuses every call that no router sent, whatever it claims", async () => {
    for (const token of ["", "forged", plane.token("inference"), plane.token("trainer")]) {
      using stranger = await new ReplicaClient(replica.address("rpc"), () => token).ready();
      await expect(stranger.infer("affine", [floats([1, 4], [1, 2, 3, 4])])).rejects.toMatchObject({
        code: "UNAUTHENTICATED",
      });
      expect((await stranger.rest("GET", "/v2/models/affine", { model: "affine" })).status).toBe(401);
    }
  });

  it("takes a broken download up where it stopped", async () => {
    plane.breakReadsAfter = 150_000;
    plane.readsFrom = [];
    const loaded = await serve(
      plane.publish({
        model: "big",
        bytes: affineModel(500_000),
        inputs: ["x FP32 -1,4"],
        outputs: ["y FP32 -1,4"],
        batchable: true,
      }),
    );
    plane.breakReadsAfter = Number.POSITIVE_INFINITY;
    expect(loaded.state).toBe(LoadState.READY);
    expect(plane.readsFrom).toEqual([0, 150_000, 300_000, 450_000]);
  });

  it("does not load a file with another digest, one that is no model, or one that does not fit its memory", async () => {
    const io = { inputs: ["x FP32 -1,4"], outputs: ["y FP32 -1,4"] };
    const forged = await serve(
      plane.publish({ model: "forged", bytes: affineModel(), digest: new Uint8Array(32), ...io }),
    );
    expect(forged).toMatchObject({ state: LoadState.FAILED, reason: expect.stringContaining("another digest") });
    const garbage = await serve(plane.publish({ model: "garbage", bytes: Buffer.from("this is no model"), ...io }));
    expect(garbage).toMatchObject({ state: LoadState.FAILED, reason: expect.stringContaining("could not be loaded") });
    const huge = await serve(plane.publish({ model: "huge", bytes: affineModel(), memoryBytes: 2 ** 40, ...io }));
    expect(huge).toMatchObject({ state: LoadState.FAILED, reason: expect.stringContaining("of memory") });
  });

  it("drains and unloads what is not assigned any more, and refuses it from then on", async () => {
    const kept = held.filter((v) => v.model !== "affine");
    held.splice(0, held.length, ...kept);
    plane.assign(replicaId, held);
    await until("affine is gone", () => reported("affine") === undefined);
    await expect(client.infer("affine", [floats([1, 4], [1, 2, 3, 4])])).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: "default.affine/1 is not loaded here.",
    });
  });

  it("holds 200 small models at once and serves each", async () => {
    const many = Array.from({ length: 200 }, (_, i) =>
      plane.publish({
        model: `small-${i}`,
        bytes: affineModel(i),
        inputs: ["x FP32 -1,4"],
        outputs: ["y FP32 -1,4"],
        batchable: true,
      }),
    );
    held.push(...many);
    plane.assign(replicaId, held);
    await until("all are ready", () => many.every((v) => reported(v.model)?.state === LoadState.READY));
    const answers = await Promise.all(many.map((v) => client.infer(v.model, [floats([1, 4], [1, 2, 3, 4])])));
    for (const answer of answers) expect(floatsOf(answer.outputs[0])).toEqual([3, 5, 7, 9]);
  });
});

async function executions(model: string): Promise<{ inferences: number; executions: number }> {
  const { body } = await client.rest("GET", `/v2/models/${model}/stats`, { model });
  const [stats] = JSON.parse(String(body)).model_stats;
  return { inferences: stats.inference_count, executions: stats.execution_count };
}
