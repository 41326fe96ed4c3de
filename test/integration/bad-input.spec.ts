import { ModelInferRequestSchema } from "@aimass/api/inference";
import { mlpModel, multiInputModel, tinyModel } from "@aimass/onnx/samples";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectHelpful, restError } from "../support/helpful.ts";
import { GrpcCaller, http, inferPath, rawGrpc, rawTcp } from "../support/plain-calls.ts";
import { TestMesh } from "../support/test-mesh.ts";

const messageLimit = 1024 * 1024;
const codes = { INVALID_ARGUMENT: 3, NOT_FOUND: 5, RESOURCE_EXHAUSTED: 8, UNIMPLEMENTED: 12 } as const;

let mesh: TestMesh;
let grpc: GrpcCaller;
let headers: Record<string, string>;
let before: ReadonlyMap<string, number | undefined>;

beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 1, env: { AIMASS_MAX_MESSAGE_BYTES: String(messageLimit) } });
  await mesh.serve("tiny", tinyModel(), 1);
  await mesh.serve("multi", multiInputModel(), 1);
  grpc = new GrpcCaller(mesh.address());
  headers = { authorization: `Bearer ${mesh.apiKey}` };
  before = pids();
}, 120_000);

afterAll(async () => {
  grpc?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
});

function pids(): ReadonlyMap<string, number | undefined> {
  return new Map([...mesh.mesh.processes].map(([name, process]) => [name, process.pid]));
}

type RequestInit_ = MessageInitShape<typeof ModelInferRequestSchema>;

const floats = (count: number) => new Uint8Array(new Float32Array(count).fill(0.5).buffer);
const x = { name: "x", datatype: "FP32", shape: [1n, 4n] };
const good: RequestInit_ = { modelName: "tiny", inputs: [x], rawInputContents: [floats(4)] };

const encode = (change: RequestInit_) =>
  toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, { ...good, ...change } as RequestInit_));

/** What is wrong, the code that says so, and what the sentence must hold: what was given and what would be right. */
type Case = readonly [what: string, change: RequestInit_, code: keyof typeof codes, sentence: RegExp];

const grpcCases: readonly Case[] = [
  ["a wrong input name", { inputs: [{ ...x, name: "z" }] }, "INVALID_ARGUMENT", /no input "z".*x FP32\[-1,4\]/s],
  ["no input", { inputs: [], rawInputContents: [] }, "INVALID_ARGUMENT", /"x" is missing.*x FP32\[-1,4\]/s],
  [
    "one of two inputs",
    {
      modelName: "multi",
      inputs: [{ name: "a", datatype: "FP32", shape: [1n, 2n] }],
      rawInputContents: [floats(2)],
    },
    "INVALID_ARGUMENT",
    /"b" is missing.*a FP32\[-1,2\], b FP32\[-1,3\]/s,
  ],
  [
    "inputs that disagree on the batch",
    {
      modelName: "multi",
      inputs: [
        { name: "a", datatype: "FP32", shape: [1n, 2n] },
        { name: "b", datatype: "FP32", shape: [2n, 3n] },
      ],
      rawInputContents: [floats(2), floats(6)],
    },
    "INVALID_ARGUMENT",
    /"a" has 1 rows, "b" has 2/,
  ],
  [
    "an input given twice",
    { inputs: [x, x], rawInputContents: [floats(4), floats(4)] },
    "INVALID_ARGUMENT",
    /"x" more than once/,
  ],
  [
    "a wrong shape",
    { inputs: [{ ...x, shape: [1n, 5n] }], rawInputContents: [floats(5)] },
    "INVALID_ARGUMENT",
    /\[1,5\].*\[-1,4\]/s,
  ],
  ["a wrong rank", { inputs: [{ ...x, shape: [4n] }] }, "INVALID_ARGUMENT", /\[4\].*\[-1,4\].*2 axes/s],
  ["a negative axis", { inputs: [{ ...x, shape: [-1n, 4n] }] }, "INVALID_ARGUMENT", /"x".*-1/s],
  [
    "a shape that overflows",
    { inputs: [{ ...x, shape: [9223372036854775807n, 4n] }] },
    "INVALID_ARGUMENT",
    /"x"|int64|large/s,
  ],
  [
    "a wrong type",
    { inputs: [{ ...x, datatype: "INT64" }], rawInputContents: [floats(8)] },
    "INVALID_ARGUMENT",
    /"x" is INT64.*FP32/s,
  ],
  ["an unknown type", { inputs: [{ ...x, datatype: "FLOAT" }] }, "INVALID_ARGUMENT", /FLOAT.*FP32/s],
  ["too few bytes", { rawInputContents: [floats(4).subarray(1)] }, "INVALID_ARGUMENT", /15 bytes.*16 bytes/s],
  ["too many bytes", { rawInputContents: [floats(5)] }, "INVALID_ARGUMENT", /20 bytes.*16 bytes/s],
  [
    "raw and typed data mixed",
    { inputs: [{ ...x, contents: { fp32Contents: [1, 2, 3, 4] } }] },
    "INVALID_ARGUMENT",
    /"x".*typed contents.*raw/s,
  ],
  [
    "typed data in another type's field",
    { inputs: [{ ...x, contents: { intContents: [1, 2, 3, 4] } }], rawInputContents: [] },
    "INVALID_ARGUMENT",
    /"x".*fp32_contents/s,
  ],
  [
    "more raw entries than inputs",
    { rawInputContents: [floats(4), floats(4)] },
    "INVALID_ARGUMENT",
    /1 inputs.*2 entries/s,
  ],
  ["an unknown output", { outputs: [{ name: "w" }] }, "INVALID_ARGUMENT", /output "w".*y/s],
  [
    "a tensor in shared memory",
    {
      inputs: [
        { ...x, parameters: { shared_memory_region: { parameterChoice: { case: "stringParam", value: "region" } } } },
      ],
    },
    "UNIMPLEMENTED",
    /shared memory.*Send the tensor in the request/s,
  ],
  ["an unknown model", { modelName: "nothing" }, "NOT_FOUND", /"nothing"/],
  ["no model name", { modelName: "" }, "INVALID_ARGUMENT", /model/i],
  ["a name no model can have", { modelName: "../etc/passwd" }, "INVALID_ARGUMENT", /\.\.\/etc\/passwd.*model/s],
  ["an unknown version", { modelVersion: "99" }, "NOT_FOUND", /"tiny".*version 99.*serves 1/s],
  ["an unknown alias", { modelVersion: "canary" }, "NOT_FOUND", /"tiny".*"canary"/s],
  [
    "a message above the limit",
    { inputs: [{ ...x, shape: [131_072n, 4n] }], rawInputContents: [floats(524_288)] },
    "RESOURCE_EXHAUSTED",
    /1048576|1 MiB|larger/,
  ],
];

describe("a gRPC call", () => {
  it("that is right is answered", async () => {
    expect(await grpc.call(inferPath, encode({}), headers)).toMatchObject({ code: 0 });
  });

  it.each(grpcCases)("with %s is refused with a sentence that helps", async (_what, change, code, sentence) => {
    const answer = await grpc.call(inferPath, encode(change), headers);
    expect(answer.message).toMatch(sentence);
    expect(answer.code).toBe(codes[code]);
    expectHelpful(answer.message);
  });

  it.each([
    ["0xff and nothing else", Buffer.alloc(64, 0xff)],
    ["a message cut in the middle", Buffer.from(encode({})).subarray(0, -7)],
    ["text", Buffer.from("What is a protocol buffer?")],
    ["a length beyond the end", Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f])],
  ])("with garbage for a message (%s) is refused", async (_what, bytes) => {
    const answer = await grpc.call(inferPath, bytes, headers);
    expect(answer.code).toBe(codes.INVALID_ARGUMENT);
    expectHelpful(answer.message);
  });

  it.each([
    ["a frame shorter than it says", Buffer.concat([Buffer.from([0, 0, 0, 1, 0]), encode({})])],
    ["no whole prefix", Buffer.from([0, 0])],
    ["a compressed message in no encoding", Buffer.concat([Buffer.from([1, 0, 0, 0, 3]), Buffer.from("abc")])],
  ])("with a body that is no frame (%s) is refused", async (_what, body) => {
    const answer = await rawGrpc({ address: mesh.address(), path: inferPath, headers, body });
    expect(answer.code).toBe(codes.INVALID_ARGUMENT);
    expectHelpful(answer.message);
  });

  it("whose caller goes away half-way harms nobody", async () => {
    const body = Buffer.concat([Buffer.from([0, 0, 0, 1, 0]), encode({})]);
    await rawGrpc({ address: mesh.address(), path: inferPath, headers, body, reset: true });
    expect(await grpc.call(inferPath, encode({}), headers)).toMatchObject({ code: 0 });
  });

  it.each([
    ["inference.GRPCInferenceService/RepositoryModelLoad", /aimass deploy/],
    ["inference.GRPCInferenceService/RepositoryModelUnload", /aimass deploy/],
    ["inference.GRPCInferenceService/SystemSharedMemoryRegister", /Send tensors in the request/],
    ["inference.GRPCInferenceService/SystemSharedMemoryStatus", /Send tensors in the request/],
    ["inference.GRPCInferenceService/CudaSharedMemoryRegister", /Send tensors in the request/],
    ["inference.GRPCInferenceService/TraceSetting", /AIMASS_TRACE_SAMPLE/],
    ["inference.GRPCInferenceService/LogSettings", /LOG/],
    ["inference.GRPCInferenceService/NoSuchCall", /[Rr]eflection/],
    ["no.such.Service/Call", /[Rr]eflection/],
    ["aimass.registry.v1.ModelService/NoSuchCall", /./],
  ])("of %s is UNIMPLEMENTED and says what to do instead", async (path, sentence) => {
    const answer = await grpc.call(`/${path}`, Buffer.alloc(0), headers);
    expect(answer.code).toBe(codes.UNIMPLEMENTED);
    expect(answer.message).toMatch(sentence);
    if (!path.startsWith("aimass.")) expectHelpful(answer.message);
  });

  it.each([
    ["ModelMetadata of an unknown model", "ModelMetadata", { name: "nothing" }],
    ["ModelConfig of an unknown model", "ModelConfig", { name: "nothing" }],
    ["ModelStatistics of an unknown model", "ModelStatistics", { name: "nothing" }],
    ["ModelMetadata of an unknown version", "ModelMetadata", { name: "tiny", version: "99" }],
  ])("for %s is NOT_FOUND", async (_what, method, { name, version = "" }: { name: string; version?: string }) => {
    const field = (tag: number, text: string) => Buffer.concat([Buffer.from([tag, text.length]), Buffer.from(text)]);
    const message = Buffer.concat([field(10, name), field(18, version)]);
    const answer = await grpc.call(`/inference.GRPCInferenceService/${method}`, message, headers);
    expect(answer.code).toBe(codes.NOT_FOUND);
    expectHelpful(answer.message);
  });
});

const json = (value: unknown) => JSON.stringify(value);
const rest = { name: "x", datatype: "FP32", shape: [1, 4], data: [1, 2, 3, 4] };
type RestCase = readonly [what: string, path: string, body: string, status: number, sentence: RegExp];

const restCases: readonly RestCase[] = [
  ["a wrong input name", "tiny", json({ inputs: [{ ...rest, name: "z" }] }), 400, /no input "z".*x FP32\[-1,4\]/s],
  ["no inputs", "tiny", json({ inputs: [] }), 400, /"x" is missing|inputs/],
  ["no field inputs", "tiny", json({ outputs: [] }), 400, /inputs/],
  ["a wrong shape", "tiny", json({ inputs: [{ ...rest, shape: [2, 2] }] }), 400, /\[2,2\].*\[-1,4\]/s],
  ["a wrong rank", "tiny", json({ inputs: [{ ...rest, shape: [4] }] }), 400, /\[4\].*\[-1,4\]/s],
  ["a shape that is no list", "tiny", json({ inputs: [{ ...rest, shape: "1x4" }] }), 400, /shape/],
  ["a wrong type", "tiny", json({ inputs: [{ ...rest, datatype: "INT32" }] }), 400, /INT32.*FP32/s],
  ["an unknown type", "tiny", json({ inputs: [{ ...rest, datatype: "float" }] }), 400, /float.*FP32/s],
  ["too little data", "tiny", json({ inputs: [{ ...rest, data: [1, 2, 3] }] }), 400, /"x".*\b3\b.*\b4\b/s],
  ["ragged data", "tiny", json({ inputs: [{ ...rest, data: [[1, 2], [3]] }] }), 400, /"x"/],
  ["text for numbers", "tiny", json({ inputs: [{ ...rest, data: ["a", 2, 3, 4] }] }), 400, /"x"/],
  ["data that is no list", "tiny", json({ inputs: [{ ...rest, data: 1 }] }), 400, /"x"/],
  ["an unknown model", "nothing", json({ inputs: [rest] }), 404, /"nothing"/],
  ["an unknown version", "tiny/versions/99", json({ inputs: [rest] }), 404, /version 99.*serves 1/s],
  ["an unknown alias", "tiny/versions/canary", json({ inputs: [rest] }), 404, /"canary"/],
  ["an unknown output", "tiny", json({ inputs: [rest], outputs: [{ name: "w" }] }), 400, /"w".*y/s],
  ["garbage for JSON", "tiny", '{"inputs": [', 400, /JSON/],
  ["an empty body", "tiny", "", 400, /JSON/],
  ["a list for an object", "tiny", "[1, 2, 3]", 400, /object/],
  ["no object at all", "tiny", "null", 400, /object/],
  ["bytes that are no UTF-8", "tiny", "\u{fffd}\u0000{", 400, /JSON/],
  ["JSON nested very deep", "tiny", `${"[".repeat(100_000)}${"]".repeat(100_000)}`, 400, /JSON|object/],
];

describe("a REST call with JSON", () => {
  it.each(restCases)("with %s is refused with a sentence that helps", async (_what, path, body, status, sentence) => {
    const answer = await http(`${mesh.mesh.url()}/v2/models/${path}/infer`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body,
    });
    const error = restError(answer.text);
    expect(error).toMatch(sentence);
    expect(answer.status).toBe(status);
    expectHelpful(error);
  });

  it("above the size limit is 413", async () => {
    const data = Array.from({ length: 200_000 }, () => 0.123456);
    const answer = await http(`${mesh.mesh.url()}/v2/models/tiny/infer`, {
      method: "POST",
      headers,
      body: json({ inputs: [{ ...rest, shape: [50_000, 4], data }] }),
    });
    expect(answer.status).toBe(413);
    expectHelpful(restError(answer.text));
  });

  it("whose body ends before its length is not answered as if it were whole", async () => {
    const head = `POST /v2/models/tiny/infer HTTP/1.1\r\nhost: localhost\r\nauthorization: ${headers.authorization}\r\n`;
    const text = await rawTcp(mesh.address(), `${head}content-length: 500\r\n\r\n${json({ inputs: [rest] })}`);
    expect(text).not.toMatch(/HTTP\/1.1 (?:200|500)/);
  });

  it("that is not HTTP at all is dropped", async () => {
    expect(await rawTcp(mesh.address(), "\u0016\u0003\u0001\u0002\u0000garbage\r\n\r\n")).not.toMatch(/HTTP\/1.1 200/);
  });

  it.each([
    ["GET", "/v2/models/tiny/infer", 405, /POST/],
    ["POST", "/v2/models/tiny", 405, /GET/],
    ["GET", "/v2/nothing/here", 404, /nothing\/here/],
    ["GET", "/v2/models/tiny/versions", 404, /nothing at/],
    ["GET", "/etc/passwd", 404, /nothing at/],
    ["GET", "/v2/models/%ff%zz/ready", 404, /nothing at/],
    ["POST", "/v2/systemsharedmemory/region/a/register", 501, /Send tensors in the request/],
    ["POST", "/v2/cudasharedmemory/region/a/register", 501, /Send tensors in the request/],
    ["POST", "/v2/repository/models/tiny/load", 501, /aimass deploy/],
    ["POST", "/v2/repository/models/tiny/unload", 501, /aimass deploy/],
    ["POST", "/v2/models/tiny/trace/setting", 501, /AIMASS_TRACE_SAMPLE/],
    ["POST", "/v2/logging", 501, /LOG/],
    ["POST", "/v2/models/tiny/generate", 501, /infer/],
  ])("%s %s is %i and says what would be right", async (method, path, status, sentence) => {
    const answer = await http(`${mesh.mesh.url()}${path}`, { method, headers });
    const error = restError(answer.text);
    expect(error).toMatch(sentence);
    expect(answer.status).toBe(status);
    expectHelpful(error);
  });
});

describe("a REST call with binary data", () => {
  const binary = (header: string | object, data: Uint8Array, length?: string) => {
    const text = Buffer.from(typeof header === "string" ? header : json(header));
    return http(`${mesh.mesh.url()}/v2/models/tiny/infer`, {
      method: "POST",
      headers: {
        ...headers,
        "content-type": "application/octet-stream",
        "inference-header-content-length": length ?? String(text.length),
      },
      body: Buffer.concat([text, data]),
    });
  };
  const input = (size: unknown, change: object = {}) => ({
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], parameters: { binary_data_size: size }, ...change }],
  });

  it("that is right is answered", async () => {
    expect(await binary(input(16), floats(4))).toMatchObject({ status: 200 });
  });

  it.each<[string, string | object, Uint8Array, string | undefined, RegExp]>([
    ["fewer bytes than its shape takes", input(12), floats(3), undefined, /"x".*12 bytes.*16 bytes/s],
    ["fewer bytes than it says", input(16), floats(3), undefined, /"x"|body/],
    ["bytes left over", input(16), floats(5), undefined, /\b(?:16|20|4)\b|body/],
    ["a wrong name", input(16, { name: "z" }), floats(4), undefined, /no input "z"/],
    ["a wrong type", input(16, { datatype: "INT32" }), floats(4), undefined, /INT32.*FP32/s],
    ["a wrong shape", input(16, { shape: [4, 1] }), floats(4), undefined, /\[4,1\].*\[-1,4\]/s],
    [
      "binary and JSON data for one input",
      input(16, { data: [1, 2, 3, 4] }),
      floats(4),
      undefined,
      /inputs\[0\].*"data".*"binary_data_size"/,
    ],
    ["a size that is no number", input("16 bytes"), floats(4), undefined, /binary_data_size/],
    ["a negative size", input(-16), floats(4), undefined, /binary_data_size/],
    ["garbage for its header", "{{{{", floats(4), undefined, /JSON/],
    ["a header longer than the body", input(16), floats(4), "100000", /[Hh]eader.*body|length/],
    ["a header length that is no number", input(16), floats(4), "ten", /ten|length/],
  ])("with %s is 400 with a sentence that helps", async (_what, header, data, length, sentence) => {
    const answer = await binary(header, data, length);
    const error = restError(answer.text);
    expect(error).toMatch(sentence);
    expect(answer.status).toBe(400);
    expectHelpful(error);
  });

  it("in a broken compression is 400", async () => {
    const answer = await http(`${mesh.mesh.url()}/v2/models/tiny/infer`, {
      method: "POST",
      headers: { ...headers, "content-encoding": "gzip", "content-type": "application/json" },
      body: "this is no gzip",
    });
    expect(answer.status).toBe(400);
    expectHelpful(restError(answer.text));
  });
});

describe("a call of /predict", () => {
  it.each<[string, string, string, number, RegExp]>([
    ["neither text nor inputs", "/models/tiny/predict", json({ x: [[1, 2, 3, 4]] }), 400, /"text".*"inputs"/s],
    ["text for a model of numbers", "/models/tiny/predict", json({ text: "Hi" }), 400, /x FP32\[-1,4\]/],
    ["a wrong rank", "/models/tiny/predict", json({ inputs: [[[[1, 2, 3, 4]]]] }), 400, /\[-1,4\].*4 axes/s],
    ["too few values", "/models/tiny/predict", json({ inputs: [[1, 2, 3]] }), 400, /\[1,3\].*\[-1,4\]/s],
    ["a wrong name", "/models/tiny/predict", json({ inputs: { z: [[1, 2, 3, 4]] } }), 400, /"z".*x FP32/s],
    ["one of two inputs", "/models/multi/predict", json({ inputs: { a: [[1, 2]] } }), 400, /"b".*b FP32\[-1,3\]/s],
    ["a list for two inputs", "/models/multi/predict", json({ inputs: [[1, 2]] }), 400, /2 inputs/],
    ["words for numbers", "/models/tiny/predict", json({ inputs: [["a", "b", "c", "d"]] }), 400, /"x"/],
    ["garbage", "/models/tiny/predict", "How are you?", 400, /JSON/],
    ["an unknown model", "/models/nothing/predict", json({ inputs: [[1, 2, 3, 4]] }), 404, /"nothing"/],
    ["no model where two are served", "/predict", json({ inputs: [[1, 2, 3, 4]] }), 404, /models\/NAME\/predict/],
  ])("with %s is refused with a sentence that helps", async (_what, path, body, status, sentence) => {
    const answer = await http(`${mesh.mesh.url()}${path}`, { method: "POST", headers, body });
    const error = restError(answer.text);
    expect(error).toMatch(sentence);
    expect(answer.status).toBe(status);
    expectHelpful(error);
  });
});

describe("after all of it", () => {
  it("every process is the one that started, and serves", async () => {
    expect(pids()).toEqual(before);
    const answers = await Promise.all(Array.from({ length: 20 }, () => grpc.call(inferPath, encode({}), headers)));
    expect(answers.map((answer) => answer.code)).toEqual(Array.from({ length: 20 }, () => 0));
  });

  it("a new version is pushed and served as ever", async () => {
    const version = await mesh.push("tiny", mlpModel({ layers: [4, 3, 4], seed: 8 }));
    expect(version.version).toBe(2n);
  });
});
