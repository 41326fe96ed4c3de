import { setTimeout as sleep } from "node:timers/promises";
import { LoadState } from "@aimass/api/scheduler";
import { formatAddress } from "@aimass/core";
import { TransportError } from "@aimass/h2";
import { bytesFromElements, httpStatus, noParameters } from "@aimass/oip";
import { echoModel } from "@aimass/onnx/samples";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ChildService } from "../spec-support/child-service.ts";
import { ControlPlane } from "../spec-support/control-plane.ts";
import { affineModel } from "../spec-support/models.ts";
import { ReplicaClient } from "../spec-support/replica-client.ts";
import { until } from "../spec-support/until.ts";

const replicaId = "node-a/cpu-0";
const bodyBytes = 60_000_000;
/**
 * How long anything may hold up the thread with the sockets, in seconds. It is a few hundredths on an idle machine, and other tests may keep this one busy; a parse
 * of such a body in one go takes many seconds then.
 */
const mostDelay = 1;
/** How long a neighbour's call may take meanwhile, in milliseconds. */
const mostWait = 15_000;

let plane: ControlPlane;
let replica: ChildService;
let client: ReplicaClient;

beforeAll(async () => {
  plane = await ControlPlane.start();
  const echo = (model: string, datatype: "INT64" | "FP32" | "BYTES") =>
    plane.publish({
      model,
      bytes: echoModel(datatype),
      inputs: [`x ${datatype} -1`],
      outputs: [`y ${datatype} -1`],
      batchable: true,
    });
  const affine = plane.publish({
    model: "affine",
    bytes: affineModel(),
    inputs: ["x FP32 -1,4"],
    outputs: ["y FP32 -1,4"],
    batchable: true,
  });
  const scores = plane.publish({
    model: "scores",
    bytes: echoModel("FP32", ["N", 10]),
    inputs: ["x FP32 -1,10"],
    outputs: ["y FP32 -1,10"],
    batchable: true,
  });
  plane.assign(replicaId, [echo("int64", "INT64"), echo("fp32", "FP32"), echo("bytes", "BYTES"), affine, scores]);
  // A slot each: runs of the others are none of the neighbour's business here.
  replica = await ChildService.start("replica-main.ts", {
    ...plane.env(),
    AIMASS_DEVICE: "cpu:0-1",
    AIMASS_SLOTS: "4",
  });
  client = await new ReplicaClient(replica.address("rpc"), () => plane.token("router")).ready();
  await until("all are ready", () => {
    const loaded = plane.replicas.get(replicaId)?.loaded ?? [];
    return loaded.length === 5 && loaded.every(({ state }) => state === LoadState.READY);
  });
}, 120_000);

afterAll(async () => {
  client?.[Symbol.dispose]();
  await replica?.[Symbol.asyncDispose]();
  await plane?.[Symbol.asyncDispose]();
});

/** The longest that the replica's event loop was held up since the last time this was asked, in seconds. */
async function longestDelay(): Promise<number> {
  const text = await (await fetch(`http://${formatAddress(replica.address("admin"))}/metrics`)).text();
  return Number(/^nodejs_eventloop_delay_max_seconds(?:\{[^}]*\})? (\S+)$/m.exec(text)?.[1]);
}

/** `bodyBytes` of something that repeats, parted by commas. */
function repeated(write: (index: number) => string): { text: Buffer; count: number } {
  const parts: string[] = [];
  let bytes = 0;
  for (let index = 0; bytes < bodyBytes; index++) {
    const part = write(index);
    parts.push(part);
    bytes += part.length + 1;
  }
  return { text: Buffer.from(parts.join(",")), count: parts.length };
}

function inferBody(datatype: string, write: (index: number) => string): Buffer {
  const { text, count } = repeated(write);
  const head = `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[${count}],"data":[`;
  return Buffer.concat([Buffer.from(head), text, Buffer.from("]}]}")]);
}

const predictBody = (write: (index: number) => string) =>
  Buffer.concat([Buffer.from('{"inputs":['), repeated(write).text, Buffer.from("]}")]);

const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]);
const field = (tag: number, bytes: Uint8Array) => Buffer.concat([Buffer.from([tag, ...varint(bytes.length)]), bytes]);

function framed(...fields: Uint8Array[]): Buffer {
  const message = Buffer.concat(fields);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** `bodyBytes` of one field again and again behind the model's name. */
const manyFields = (unit: Uint8Array) =>
  framed(field(0x0a, Buffer.from("int64")), Buffer.alloc(Math.floor(bodyBytes / unit.length) * unit.length, unit));

/** A gRPC message of typed contents: a varint an element, which are made 64-bit numbers one by one. */
function typedContents(): Buffer {
  const contents = Buffer.alloc(bodyBytes, 5);
  const shape = field(0x1a, Buffer.from(varint(bodyBytes)));
  const list = field(0x2a, field(0x1a, contents));
  const input = Buffer.concat([field(0x0a, Buffer.from("x")), field(0x12, Buffer.from("INT64")), shape, list]);
  return framed(field(0x0a, Buffer.from("int64")), field(0x2a, input));
}

const grpc = (body: () => Buffer) => () =>
  client.grpc("ModelInfer", body(), { "aimass-model": "default.int64", "aimass-version": "1" }).then(
    () => 200,
    (error) => httpStatus({ code: error.code, reason: undefined }),
  );

const rest = (model: string, body: Buffer) => async () =>
  (await client.rest("POST", `/v2/models/${model}/infer`, { model, body })).status;
const predict = (model: string, body: Buffer) => async () =>
  (await client.rest("POST", `/models/${model}/predict`, { model, body })).status;

const cases: [string, number, () => Promise<number>][] = [
  [
    "whole numbers of 16 digits",
    200,
    rest(
      "int64",
      inferBody("INT64", (i) => String(1234567890123456n + BigInt(i))),
    ),
  ],
  [
    "floating point numbers",
    200,
    rest(
      "fp32",
      inferBody("FP32", (i) => String(Math.sin(i))),
    ),
  ],
  ["numbers of one digit", 200, rest("fp32", inferBody("FP32", (i) => String(i % 10)).subarray(0))],
  [
    "strings",
    200,
    rest(
      "bytes",
      inferBody("BYTES", (i) => `"word ${i}"`),
    ),
  ],
  [
    "rows",
    200,
    predict(
      "int64",
      predictBody((i) => `{"x":${i},"other":"red"}`),
    ),
  ],
  [
    "small objects",
    400,
    predict(
      "int64",
      predictBody(() => "{}"),
    ),
  ],
  [
    "what nobody reads",
    400,
    rest(
      "int64",
      inferBody("INT64", () => '{"a":[]}'),
    ),
  ],
  [
    "lists in each other",
    400,
    predict("int64", Buffer.concat([Buffer.from('{"inputs":'), Buffer.alloc(bodyBytes, "[")])),
  ],
  ["typed contents of a gRPC message, more than tensors may take", 429, grpc(typedContents)],
  ["inputs of a gRPC message", 400, grpc(() => manyFields(Buffer.of(0x2a, 0)))],
  ["raw entries of a gRPC message", 400, grpc(() => manyFields(Buffer.of(0x3a, 0)))],
  ["names in a gRPC message", 400, grpc(() => manyFields(field(0x0a, Buffer.from("int64"))))],
  [
    "a gRPC message's id",
    400,
    grpc(() => framed(field(0x0a, Buffer.from("int64")), field(0x1a, Buffer.alloc(bodyBytes)))),
  ],
  [
    "scores that are to be ranked",
    200,
    async () => {
      const rows = bodyBytes / 40;
      const input = { name: "x", datatype: "FP32", shape: [rows, 10], bytes: new Uint8Array(bodyBytes) } as const;
      const { outputs } = await client.infer("scores", [input], { outputs: [{ name: "y", classification: 1 }] });
      return outputs[0]?.shape[0] === rows && outputs[0].datatype === "BYTES" ? 200 : 500;
    },
  ],
  [
    "requests of 20 MB that share a run",
    200,
    async () => {
      const bytes = new Uint8Array(bodyBytes / 3);
      const input = { name: "x", datatype: "FP32", shape: [bytes.length / 4], bytes } as const;
      const answers = await Promise.all(Array.from({ length: 3 }, () => client.infer("fp32", [input])));
      return answers.every(({ outputs }) => outputs[0]?.bytes.length === bytes.length) ? 200 : 500;
    },
  ],
  [
    "short strings of a gRPC message",
    200,
    async () => {
      const count = bodyBytes / 40;
      const bytes = bytesFromElements(new Array<string>(count).fill("a".repeat(36)));
      const input = { name: "x", datatype: "BYTES", shape: [count], bytes } as const;
      return (await client.infer("bytes", [input])).outputs[0]?.shape[0] === count ? 200 : 500;
    },
  ],
  [
    "a message of a stream",
    200,
    async () => {
      const input = { name: "x", datatype: "FP32", shape: [bodyBytes / 4], bytes: new Uint8Array(bodyBytes) } as const;
      const request = {
        modelName: "fp32",
        modelVersion: "",
        id: "",
        parameters: noParameters,
        inputs: [input],
        outputs: [],
      };
      const { answers } = await client.stream("fp32", [request]);
      return answers[0]?.response?.outputs[0]?.shape[0] === bodyBytes / 4 ? 200 : 500;
    },
  ],
];

/** As a router does: a connection whose pings are late is left alone until they come. Throws anything else. */
function ifLate(error: unknown): undefined {
  if (!(error instanceof TransportError) || error.kind !== "not-connected") throw error;
}

describe("60 MB of JSON, or of gRPC", () => {
  it.each(cases)(
    "hold up nobody: %s",
    async (_, status, call) => {
      let isDone = false;
      const waits: number[] = [];
      const neighbour = async () => {
        const row = { name: "x", datatype: "FP32" as const, shape: [1, 4], bytes: new Uint8Array(16) };
        while (!isDone) {
          const startedAt = performance.now();
          while ((await client.infer("affine", [row]).catch(ifLate)) === undefined) await sleep(20);
          waits.push(performance.now() - startedAt);
          await sleep(20);
        }
      };
      await longestDelay();
      const asking = neighbour();
      expect(await call().finally(() => (isDone = true))).toBe(status);
      await asking;
      const delay = await longestDelay();
      expect(delay).toBeLessThan(mostDelay);
      expect(Math.max(...waits)).toBeLessThan(mostWait);
    },
    120_000,
  );
});
