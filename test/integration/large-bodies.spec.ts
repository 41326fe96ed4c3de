import { gzipSync } from "node:zlib";
import { systemClock } from "@aimass/core";
import { Upstream } from "@aimass/h2";
import { encodeInferRequest, noParameters } from "@aimass/oip";
import { echoModel, tinyModel } from "@aimass/onnx/samples";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InferClient } from "../support/infer-client.ts";
import { inferPath } from "../support/plain-calls.ts";
import { rowRequest } from "../support/row-request.ts";
import { TestMesh } from "../support/test-mesh.ts";

const megabyte = 1_000_000;
const bodyBytes = 60 * megabyte;
/**
 * How long anything may hold up the router's thread, in seconds. It is under five hundredths on an idle machine, and other tests may keep this one busy; what is done
 * in one go takes seconds then.
 */
const mostDelay = 1;
/** How long a neighbour's call may take meanwhile, in milliseconds. */
const mostWait = 5000;

let mesh: TestMesh;
let client: Upstream;
let neighbour: InferClient;

beforeAll(async () => {
  // A slot each: runs of the others are none of the neighbour's business here.
  mesh = await TestMesh.start({ replicas: 1, env: { AIMASS_SLOTS: "4" } });
  await mesh.serve("tiny", tinyModel(), 1);
  for (const datatype of ["FP32", "INT64", "BYTES"] as const) {
    await mesh.serve(datatype.toLowerCase(), echoModel(datatype), 1);
  }
  const [host = "", port] = mesh.address().split(":");
  client = new Upstream({ address: { host, port: Number(port) }, clock: systemClock, deadAfterMs: 120_000 });
  while (client.state !== "ready") await systemClock.sleep(5);
  neighbour = new InferClient({ addresses: [mesh.address()], apiKey: mesh.apiKey, deadlineMs: 30_000 });
}, 180_000);

afterAll(async () => {
  neighbour?.close();
  client?.close();
  await mesh?.[Symbol.asyncDispose]();
});

/** The longest that the router's event loop was held up since the last time this was asked, in seconds. */
async function longestDelay(): Promise<number> {
  const state = mesh.mesh.processes.get("router")?.state;
  if (state?.kind !== "ready") throw new Error("The router is not ready.");
  const text = await (
    await fetch(`http://${state.addresses.admin}/metrics`, { headers: { connection: "close" } })
  ).text();
  return Number(/^nodejs_eventloop_delay_max_seconds(?:\{[^}]*\})? (\S+)$/m.exec(text)?.[1]);
}

/** What came back, whatever the protocol: "200", or "200 grpc 3" where a gRPC status says more. */
async function post(
  path: string,
  contentType: string,
  body: Uint8Array,
  more: Record<string, string> = {},
): Promise<string> {
  const headers = { "content-type": contentType, te: "trailers", authorization: `Bearer ${mesh.apiKey}`, ...more };
  const answer = await client.unary({ path, headers, body });
  const status = answer.trailers["grpc-status"] ?? answer.headers["grpc-status"];
  return status === undefined ? String(answer.status) : `${answer.status} grpc ${status}`;
}

/** `post` by HTTP/1.1. */
async function postByHttp1(path: string, body: Buffer): Promise<string> {
  const headers = { "content-type": "application/json", authorization: `Bearer ${mesh.apiKey}` };
  const answer = await fetch(`http://${mesh.address()}${path}`, {
    method: "POST",
    headers,
    body: new Uint8Array(body),
  });
  await answer.arrayBuffer();
  return String(answer.status);
}

/** `bodyBytes` of something that repeats, parted by commas, between a beginning that may tell how many there are and an end. */
function list(begin: (count: number) => string, write: (index: number) => string, end: string): Buffer {
  const parts: string[] = [];
  for (let bytes = 0; bytes < bodyBytes; bytes += (parts.at(-1)?.length ?? 0) + 1) parts.push(write(parts.length));
  return Buffer.from(`${begin(parts.length)}${parts.join(",")}${end}`);
}

const tensorJson = (datatype: string, write: (index: number) => string) =>
  list((n) => `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[${n}],"data":[`, write, "]}]}");

const numbers = () => Float32Array.from({ length: bodyBytes / 4 }, (_, i) => Math.sin(i));

function message({ framed = true, bytes = new Uint8Array(numbers().buffer) } = {}): Buffer {
  const inputs = [{ name: "x", datatype: "FP32" as const, shape: [bytes.length / 4], bytes }];
  const request = { modelName: "fp32", modelVersion: "", id: "", parameters: noParameters, inputs, outputs: [] };
  return encodeInferRequest(request, { framed });
}

const words = () =>
  Buffer.alloc(bodyBytes - (bodyBytes % 40), Buffer.concat([Buffer.of(36, 0, 0, 0), Buffer.alloc(36, "a")]));

function wordsMessage(): Buffer {
  const inputs = [{ name: "x", datatype: "BYTES" as const, shape: [Math.floor(bodyBytes / 40)], bytes: words() }];
  const request = { modelName: "bytes", modelVersion: "", id: "", parameters: noParameters, inputs, outputs: [] };
  return encodeInferRequest(request, { framed: true });
}

/** A message of one field again and again. */
function fieldsMessage(unit: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  const fields = Buffer.alloc(bodyBytes - (bodyBytes % unit.length), unit);
  prefix.writeUInt32BE(fields.length, 1);
  return Buffer.concat([prefix, fields]);
}

function binaryBody(): { body: Buffer; headers: Record<string, string> } {
  const bytes = Buffer.from(numbers().buffer);
  const x = { name: "x", datatype: "FP32", shape: [bodyBytes / 4], parameters: { binary_data_size: bytes.length } };
  const json = Buffer.from(JSON.stringify({ inputs: [x], parameters: { binary_data_output: true } }));
  return {
    body: Buffer.concat([json, bytes]),
    headers: { "inference-header-content-length": String(json.length) },
  };
}

/** Each makes its body first, and gives back the call. */
const cases: [what: string, answer: string, () => () => Promise<string>][] = [
  [
    "whole numbers in JSON",
    "200",
    () =>
      rest(
        "int64",
        tensorJson("INT64", (i) => String(i)),
      ),
  ],
  [
    "numbers in JSON, by HTTP/1.1",
    "200",
    () =>
      restByHttp1(
        "fp32",
        tensorJson("FP32", (i) => `${i % 7}.25`),
      ),
  ],
  [
    "strings in JSON",
    "200",
    () =>
      rest(
        "bytes",
        tensorJson("BYTES", (i) => `"a rather long word, the one of number ${i}"`),
      ),
  ],
  [
    "rows",
    "200",
    () =>
      predict(
        "int64",
        list(
          () => '{"inputs":[',
          (i) => `{"x":${i},"other":"red"}`,
          "]}",
        ),
      ),
  ],
  [
    "lists in each other",
    "400",
    () => predict("int64", Buffer.concat([Buffer.from('{"inputs":'), Buffer.alloc(bodyBytes, "[")])),
  ],
  [
    "binary data by REST, compressed on its way back",
    "200",
    () => {
      const { body, headers } = binaryBody();
      const more = { ...headers, "accept-encoding": "gzip" };
      return () => post("/v2/models/fp32/infer", "application/octet-stream", body, more);
    },
  ],
  [
    "compressed JSON",
    "200",
    () => {
      const body = gzipSync(tensorJson("INT64", (i) => String(i % 1000)));
      return () => post("/v2/models/int64/infer", "application/json", body, { "content-encoding": "gzip" });
    },
  ],
  ["numbers by gRPC", "200 grpc 0", () => grpc(message())],
  ["words by gRPC", "200 grpc 0", () => grpc(wordsMessage())],
  ["raw entries by gRPC", "200 grpc 3", () => grpc(fieldsMessage(Buffer.of(0x3a, 0)))],
  ["names by gRPC", "200 grpc 3", () => grpc(fieldsMessage(Buffer.from("\n\u0005int64")))],
  [
    "compressed numbers by gRPC",
    "200 grpc 0",
    () => {
      const folded = gzipSync(message({ framed: false, bytes: new Uint8Array(bodyBytes) }));
      const framed = Buffer.concat([Buffer.of(1, 0, 0, 0, 0), folded]);
      framed.writeUInt32BE(folded.length, 1);
      return () => post(inferPath, "application/grpc", framed, { "grpc-encoding": "gzip" });
    },
  ],
  [
    "a message of a stream",
    "200 grpc 0",
    () => {
      const body = message();
      return () => post("/inference.GRPCInferenceService/ModelStreamInfer", "application/grpc", body);
    },
  ],
  ["gRPC-Web", "200", () => rpc("application/grpc-web+proto", message())],
  ["gRPC-Web as text", "200", () => rpc("application/grpc-web-text", Buffer.from(message().toString("base64")))],
  ["Connect", "200", () => rpc("application/proto", message({ framed: false }))],
  [
    "a megabyte of small objects by Connect",
    "400",
    () =>
      rpc("application/json", Buffer.from(`{"modelName":"fp32","inputs":[${Array(340_000).fill("{}").join(",")}]}`)),
  ],
  [
    "empty raw entries by Connect",
    "400",
    () =>
      rpc(
        "application/json",
        list(
          () => '{"modelName":"fp32","rawInputContents":[',
          () => '""',
          "]}",
        ),
      ),
  ],
];

const rest = (model: string, body: Buffer) => () => post(`/v2/models/${model}/infer`, "application/json", body);
const restByHttp1 = (model: string, body: Buffer) => () => postByHttp1(`/v2/models/${model}/infer`, body);
const predict = (model: string, body: Buffer) => () => post(`/models/${model}/predict`, "application/json", body);
const grpc = (body: Buffer) => rpc("application/grpc", body);
const rpc = (type: string, body: Buffer) => () => post(inferPath, type, body);

/** Small calls, one after the other, until told to stop; how long each took, in milliseconds. */
function askSmallThings(): { stop(): Promise<number[]> } {
  let isDone = false;
  const small = rowRequest("tiny", 4);
  const asking = (async () => {
    const waits: number[] = [];
    while (!isDone) {
      const startedAt = performance.now();
      const outcome = await neighbour.infer(small);
      expect(outcome).toMatchObject({ ok: true });
      waits.push(performance.now() - startedAt);
      await systemClock.sleep(10);
    }
    return waits;
  })();
  return {
    stop: () => {
      isDone = true;
      return asking;
    },
  };
}

describe("60 MB through a router", () => {
  it.each(cases)(
    "hold up nobody: %s",
    async (what, expected, prepare) => {
      const call = prepare();
      await longestDelay();
      const small = askSmallThings();
      const answer = await call();
      const waits = await small.stop();
      const delay = await longestDelay();
      const longestWait = Math.max(...waits);
      process.stdout.write(
        `${what}: the router's thread was held up for ${(delay * 1000).toFixed(0)} ms at most; ${waits.length} small calls meanwhile, ${longestWait.toFixed(0)} ms at most\n`,
      );
      expect(answer).toBe(expected);
      expect(waits.length).toBeGreaterThanOrEqual(1);
      expect(delay).toBeLessThan(mostDelay);
      expect(longestWait).toBeLessThan(mostWait);
    },
    180_000,
  );
});
