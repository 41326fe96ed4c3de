import { setTimeout as sleep } from "node:timers/promises";
import { SessionService } from "@aimass/api/auth";
import { Health } from "@aimass/api/health";
import { GRPCInferenceService } from "@aimass/api/inference";
import { ServerReflection } from "@aimass/api/reflection";
import { systemClock } from "@aimass/core";
import { type Listener, listen, type ServerCall, Upstream } from "@aimass/h2";
import { decodeInferRequest, decodeStreamInferResponse } from "@aimass/oip";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterEach, describe, expect, it } from "vitest";
import {
  inferBody,
  inferGrant,
  modelEntry,
  replicaEntry,
  startTestRouter,
  type TestRouter,
} from "../testing/router-fixture.ts";
import { refuse, startReplica, type TinyReplica } from "../testing/tiny-replica.ts";
import { frame } from "./frames.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function mesh(env: Record<string, string> = {}): Promise<{ r: TestRouter; a: TinyReplica }> {
  const [r, a] = await Promise.all([startTestRouter(env), startReplica("a")]);
  cleanups.push(
    () => r[Symbol.asyncDispose](),
    () => a.kill(),
  );
  r.route([replicaEntry("a", a.address), modelEntry("m", { 1: ["a"], 2: ["a"] }), modelEntry("team.n", { 7: [] })]);
  await expect.poll(() => r.plane.pool.replicas.get("a")?.isUsable).toBe(true);
  return { r, a };
}

/** A model that is echoed answers with its own request's fields 1 to 3, which an answer has too. */
const request = { modelName: "m", id: "42" };

describe("ModelInfer by clients of others", () => {
  const transports: [string, (baseUrl: string) => Transport][] = [
    ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
    ["gRPC-Web over HTTP/1.1", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
    ["gRPC-Web over HTTP/2", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" })],
    ["Connect with proto", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true })],
    ["Connect with JSON", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false })],
    ["gRPC with JSON", (baseUrl) => createGrpcTransport({ baseUrl, useBinaryFormat: false })],
    [
      "gRPC-Web with JSON",
      (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
    ],
    [
      "gRPC with gzip",
      (baseUrl) => createGrpcTransport({ baseUrl, sendCompression: compressionGzip, compressMinBytes: 0 }),
    ],
  ];

  it.each(transports)("works by %s, errors too", async (_, transport) => {
    const { r, a } = await mesh();
    const client = createClient(GRPCInferenceService, transport(r.url));
    expect(await client.modelInfer(request)).toMatchObject(request);
    expect(a.calls[0]?.headers["content-type"]).toBe("application/grpc");
    expect(a.calls[0]?.body[0]).toBe(0);
    const missing = await client.modelInfer({ modelName: "missing" }).catch(ConnectError.from);
    expect(missing).toMatchObject({
      code: Code.NotFound,
      rawMessage: expect.stringContaining('no deployed model "missing"'),
    });
    a.behaviour = refuse(3, "inputs%5B0%5D is wrong");
    const refused = await client.modelInfer(request).catch(ConnectError.from);
    expect(refused).toMatchObject({ code: Code.InvalidArgument, rawMessage: "inputs[0] is wrong" });
    const facts = await client.serverMetadata({});
    expect(facts.extensions).toContain("binary_tensor_data");
    expect((await client.modelReady({ name: "missing" })).ready).toBe(false);
    const other = await client.modelMetadata({ name: "missing" }).catch(ConnectError.from);
    expect(other).toMatchObject({ code: Code.NotFound });
  });

  it("works by gRPC-Web as text", async () => {
    const { r } = await mesh();
    const answer = await fetch(`${r.url}/inference.GRPCInferenceService/ModelInfer`, {
      method: "POST",
      headers: { "content-type": "application/grpc-web-text" },
      body: inferBody("m", { id: "7" }).toString("base64"),
    });
    expect(answer.headers.get("content-type")).toBe("application/grpc-web-text+proto");
    const bytes = Buffer.from(await answer.text(), "base64");
    const trailers = bytes.subarray(5 + bytes.readUInt32BE(1));
    expect(trailers[0]).toBe(0x80);
    expect(trailers.subarray(5).toString()).toContain("grpc-status: 0\r\n");
  });

  it.each(["application/grpc-web+json", "application/grpc-web-text+json"])("works by %s", async (type) => {
    const { r } = await mesh();
    const isText = type.includes("text");
    const sent = frame(Buffer.from(JSON.stringify({ modelName: "m", id: "7" })));
    const answer = await fetch(`${r.url}/inference.GRPCInferenceService/ModelInfer`, {
      method: "POST",
      headers: { "content-type": type },
      body: isText ? sent.toString("base64") : sent,
    });
    expect(answer.headers.get("content-type")).toBe(type);
    const bytes = isText ? Buffer.from(await answer.text(), "base64") : Buffer.from(await answer.arrayBuffer());
    expect(JSON.parse(bytes.subarray(5, 5 + bytes.readUInt32BE(1)).toString())).toMatchObject({ id: "7" });
  });

  it("refuses another codec", async () => {
    const { r } = await mesh();
    const headers = { "content-type": "application/grpc+thrift", te: "trailers" };
    const path = "/inference.GRPCInferenceService/ModelInfer";
    expect((await r.client.unary({ path, headers, body: inferBody("m") })).headers["grpc-status"]).toBe("12");
    const connect = await fetch(r.url + path, {
      method: "POST",
      headers: { "content-type": "text/xml" },
      body: "<m/>",
    });
    expect(connect.status).toBe(415);
    expect(await connect.json()).toMatchObject({
      code: "unimplemented",
      message: expect.stringContaining("application/json"),
    });
  });

  it("takes JSON of any size within the limit of a message", async () => {
    const { r, a } = await mesh();
    const count = 1_000_000;
    const client = createClient(
      GRPCInferenceService,
      createConnectTransport({ baseUrl: r.url, httpVersion: "1.1", useBinaryFormat: false }),
    );
    const inputs = [
      { name: "x", datatype: "FP32", shape: [BigInt(count)], contents: { fp32Contents: Array(count).fill(0.25) } },
    ];
    const answer = await client.modelInfer({ ...request, inputs });
    expect(answer.id).toBe(request.id);
    const { inputs: received } = decodeInferRequest((a.calls[0] ?? expect.fail()).body.subarray(5));
    expect(received[0]?.bytes.byteLength).toBe(4 * count);
  });

  it.each(["br", "zstd"])("says which encodings of a body it takes, when one is %s", async (encoding) => {
    const { r } = await mesh();
    for (const path of ["/inference.GRPCInferenceService/ModelInfer", "/v2/models/m/infer", "/models/m/predict"]) {
      const headers = { "content-type": "application/json", "content-encoding": encoding };
      const answer = await fetch(r.url + path, { method: "POST", headers, body: "{}" });
      expect([path, answer.status]).toEqual([path, 415]);
      expect(await answer.text()).toContain("gzip, deflate");
    }
  });

  it("refuses JSON with more than 1 MiB beside the elements and names the ways that take it", async () => {
    const { r } = await mesh();
    const answer = await fetch(`${r.url}/inference.GRPCInferenceService/ModelInfer`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ modelName: "m", id: "x".repeat(1_200_000) }),
    });
    expect(answer.status).toBe(413);
    const { code, message } = (await answer.json()) as { code: string; message: string };
    expect(code).toBe("resource_exhausted");
    expect(message).toContain("useBinaryFormat: true");
    expect(message).not.toContain("operator");
  });
});

describe("ModelStreamInfer", () => {
  it("answers every message in order, errors in-band, and goes on", async () => {
    const { r, a } = await mesh();
    let n = 0;
    const plain = a.behaviour;
    a.behaviour = async (call, body) => {
      await sleep(n++ % 2 === 0 ? 20 : 0);
      await plain(call, body);
    };
    const stream = r.client.open({
      path: "/inference.GRPCInferenceService/ModelStreamInfer",
      headers: { "content-type": "application/grpc", te: "trailers" },
    });
    for (let i = 0; i < 100; i++)
      await stream.write(inferBody(i === 50 ? "missing" : "m", { id: String(i), bytes: 0 }));
    stream.end();
    const bytes: Buffer[] = [];
    for await (const chunk of stream.chunks()) bytes.push(chunk);
    const answers = readStream(Buffer.concat(bytes));
    expect(answers).toHaveLength(100);
    expect(answers[50]).toMatch(/no deployed model "missing"/);
    expect(answers.filter((_, i) => i !== 50)).toEqual(
      Array.from({ length: 100 }, (_, i) => String(i)).filter((id) => id !== "50"),
    );
    expect(await stream.trailers).toMatchObject({ "grpc-status": "0" });
  });

  it("ends with an error when a message is cut short", async () => {
    const { r } = await mesh();
    const stream = r.client.open({
      path: "/inference.GRPCInferenceService/ModelStreamInfer",
      headers: { "content-type": "application/grpc", te: "trailers" },
    });
    stream.write(inferBody("m").subarray(0, 12));
    stream.end();
    for await (const _ of stream.chunks());
    expect(await stream.trailers).toMatchObject({ "grpc-status": "3" });
  });
});

describe("REST", () => {
  async function get(r: TestRouter, path: string, init?: RequestInit) {
    const answer = await fetch(r.url + path, init);
    const text = await answer.text();
    return { status: answer.status, json: text === "" ? undefined : JSON.parse(text), headers: answer.headers };
  }

  it("forwards infer and predict with the version that was resolved", async () => {
    const { r, a } = await mesh();
    const body = JSON.stringify({ inputs: [1] });
    const post = {
      method: "POST",
      body,
      headers: { "content-type": "application/json; charset=UTF-8", accept: "*/*" },
    };
    const inferred = await get(r, "/v2/models/m/infer", post);
    expect(inferred).toMatchObject({ status: 200, json: { inputs: [1] } });
    expect(inferred.headers.get("aimass-version")).toBe("2");
    await get(r, "/v2/models/m/versions/1/infer", post);
    await get(r, "/models/m/predict", post);
    expect(a.calls.map((c) => c.path)).toEqual([
      "/v2/models/m/versions/2/infer",
      "/v2/models/m/versions/1/infer",
      "/models/m/predict",
    ]);
    expect(a.calls.map((c) => c.headers["aimass-version"])).toEqual(["2", "1", "2"]);
  });

  it("predicts with the default model, which is the only one or a configured one", async () => {
    const { r, a } = await mesh();
    const post = { method: "POST", body: '{"text": "How are you?"}' };
    expect((await get(r, "/predict", post)).status).toBe(404);
    r.route([replicaEntry("a", a.address), modelEntry("m", { 1: ["a"] })]);
    expect((await get(r, "/predict", post)).status).toBe(200);
    const other = await mesh({ AIMASS_DEFAULT_MODEL: "m" });
    expect((await get(other.r, "/predict", post)).status).toBe(200);
  });

  it("answers what KServe's V1 protocol and MLflow's scoring server have", async () => {
    const { r, a } = await mesh({ AIMASS_DEFAULT_MODEL: "m" });
    const instances = { method: "POST", body: '{"instances": [1]}' };
    const paths = [
      "/v1/models/m:predict",
      "/v1/models/m/versions/1:predict",
      "/models/m/invocations",
      "/models/m/versions/1/invocations",
      "/invocations",
    ];
    for (const path of paths) expect((await get(r, path, instances)).status).toBe(200);
    expect(new Set(a.calls.map((c) => c.path))).toEqual(new Set(["/models/m/predict"]));
    expect(a.calls.map((c) => c.headers["aimass-version"])).toEqual(["2", "1", "2", "1", "2"]);
    expect((await get(r, "/v1/models")).json).toEqual({ models: ["m", "team.n"] });
    expect(await get(r, "/v1/models/m")).toMatchObject({ status: 200, json: { name: "m", ready: true } });
    expect(await get(r, "/v1/models/team.n")).toMatchObject({ status: 503, json: { ready: false } });
    expect((await get(r, "/v1/models/none")).status).toBe(404);
    expect((await get(r, "/v1/models/m:explain", instances)).status).toBe(501);
    expect((await get(r, "/v1/models/m:other", instances)).status).toBe(404);
    expect((await get(r, "/v1/models/m:predict")).headers.get("allow")).toBe("POST");
    expect((await get(r, "/models/m/ping")).status).toBe(200);
  });

  it("is alive to programs at the address alone, where browsers find the console", async () => {
    const { r } = await mesh();
    expect(await get(r, "/")).toMatchObject({ status: 200, json: { status: "alive" } });
    const page = await fetch(`${r.url}/`, { headers: { accept: "text/html,*/*;q=0.8" }, redirect: "manual" });
    expect(page.headers.get("content-type")).not.toBe("text/plain; charset=utf-8");
    expect(await page.text()).not.toContain("alive");
    for (const path of ["/ping", "/health"]) expect((await fetch(r.url + path)).status).toBe(200);
    expect(await (await fetch(`${r.url}/version`)).text()).toMatch(/^\S+$/);
    r.plane.info.drain();
    for (const path of ["/ping", "/health"]) expect((await fetch(r.url + path)).status).toBe(503);
  });

  it("says which methods a path takes, when it is called with another", async () => {
    const { r } = await mesh();
    const put = await get(r, "/v2/models/m", { method: "PUT" });
    expect([put.status, put.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect(put.json).toEqual({ error: "PUT does nothing at /v2/models/m. Use GET." });
    const got = await get(r, "/v2/models/m/infer");
    expect([got.status, got.headers.get("allow")]).toEqual([405, "POST"]);
  });

  it("tells health, readiness, the index and the server", async () => {
    const { r } = await mesh();
    expect(await get(r, "/v2/health/live")).toMatchObject({ status: 200, json: { live: true } });
    expect(await get(r, "/v2/health/ready")).toMatchObject({ status: 200, json: { ready: true } });
    expect((await get(r, "/v2")).json).toMatchObject({ name: "aimass" });
    const standing = await get(r, "/v2/models/m/ready");
    expect(standing).toMatchObject({ status: 200, json: { ready: true } });
    expect(standing.headers.get("aimass-version")).toBe("2");
    expect(await get(r, "/v2/models/team.n/ready")).toMatchObject({ status: 400, json: { ready: false } });
    expect((await get(r, "/v2/repository/index", { method: "POST", body: "{}" })).json).toEqual([
      { name: "m", version: "1", state: "READY", reason: "" },
      { name: "m", version: "2", state: "READY", reason: "" },
      { name: "team.n", version: "7", state: "UNAVAILABLE", reason: "No replica that holds it can be reached." },
    ]);
    expect((await get(r, "/v2/repository/index", { method: "POST", body: '{"ready":true}' })).json).toHaveLength(2);
    r.grant([inferGrant("anonymous", "team")]);
    expect((await get(r, "/v2/models")).json).toHaveLength(1);
  });

  it("adds up statistics with every duration, whole numbers and a version in quotes", async () => {
    const { r } = await mesh();
    await get(r, "/v2/models/m/infer", { method: "POST", body: "{}" });
    const { json } = await get(r, "/v2/models/m/stats");
    expect(json.model_stats).toHaveLength(2);
    expect(json.model_stats[0]).toMatchObject({ name: "m", version: "1", inference_count: 1 });
    expect(Object.keys(json.model_stats[0].inference_stats)).toHaveLength(8);
    expect(json.model_stats[0].inference_stats.cache_miss).toEqual({ count: 0, ns: 0 });
  });

  it("asks a bounded number of replicas at a time, however many versions there are", async () => {
    const { r, a } = await mesh();
    const versions = Object.fromEntries(Array.from({ length: 300 }, (_, v) => [v + 1, ["a"]]));
    r.route([replicaEntry("a", a.address), modelEntry("m", versions)]);
    expect((await get(r, "/v2/models/m/stats")).json.model_stats).toHaveLength(300);
    expect(a.asked.most).toBeLessThanOrEqual(64);
    a.asked.most = 0;
    await r.plane.tritonMetrics.text();
    expect(a.asked.most).toBe(64);
  });

  it("counts every version in the names of Triton's metrics endpoint, whoever may see it", async () => {
    const { r } = await mesh();
    await get(r, "/v2/models/m/infer", { method: "POST", body: "{}" });
    r.grant([]);
    const text = await r.plane.tritonMetrics.text();
    expect(text).toContain("# TYPE nv_inference_count counter\n");
    expect(text).toContain('nv_inference_count{model="m",version="1"} 1\n');
    expect(text).toContain('nv_inference_request_success{model="team.n",version="7"} 0\n');
    expect(text.match(/^# TYPE nv_inference_/gm)).toHaveLength(9);
  });

  it.each([
    ["/v2/models/missing/infer", "POST", 404, /no deployed model/],
    ["/v2/models/m/versions/9/infer", "POST", 404, /does not serve version 9/],
    ["/v2/models/m/infer", "GET", 405, /GET does nothing/],
    ["/v2/repository/models/m/load", "POST", 501, /aimass deploy/],
    ["/v2/systemsharedmemory/status", "GET", 501, /Shared memory/],
    ["/v2/models/m/generate", "POST", 501, /generate/],
    ["/v2/logging", "POST", 501, /LOG/],
    ["/nowhere", "GET", 404, /nothing at \/nowhere/],
    ["/v2/models/%zz/infer", "POST", 404, /nothing at/],
    ["/v2/models/m/versions//infer", "POST", 404, /nothing at/],
  ])("answers %s %s with %i", async (path, method, status, message) => {
    const { r } = await mesh();
    const answer = await get(r, path, method === "POST" ? { method, body: "{}" } : {});
    expect(answer.status).toBe(status);
    expect(answer.json.error).toMatch(message);
  });

  it("passes a replica's error on with its status", async () => {
    const { r, a } = await mesh();
    a.behaviour = (call) =>
      call.respond({
        status: 400,
        headers: { "content-type": "application/json" },
        body: Buffer.from('{"error":"bad shape"}'),
      });
    expect(await get(r, "/v2/models/m/infer", { method: "POST", body: "{}" })).toMatchObject({
      status: 400,
      json: { error: "bad shape" },
    });
  });
});

describe("RPCs the router answers itself", () => {
  it("lists every public service by reflection and describes their types", async () => {
    const { r } = await mesh();
    const client = createClient(ServerReflection, createGrpcTransport({ baseUrl: r.url }));
    const questions = [
      { messageRequest: { case: "listServices", value: "" } },
      { messageRequest: { case: "fileContainingSymbol", value: "inference.ModelInferRequest" } },
      { messageRequest: { case: "fileContainingSymbol", value: "aimass.auth.v1.PolicyService" } },
    ] as const;
    const answers = [];
    for await (const answer of client.serverReflectionInfo(iterate(questions))) answers.push(answer.messageResponse);
    const services = answers[0]?.case === "listServicesResponse" ? answers[0].value.service.map((s) => s.name) : [];
    expect(services).toContain("aimass.registry.v1.ModelService");
    expect(services).not.toContain("aimass.auth.v1.PolicyService");
    expect(answers.slice(1).map((a) => a.case)).toEqual(["fileDescriptorResponse", "errorResponse"]);
  });

  it("tells what a replica said about a model though it is not percent-encoded as it should be", async () => {
    const { r, a } = await mesh();
    a.behaviour = refuse(3, "100% of it is wrong");
    const client = createClient(GRPCInferenceService, createGrpcTransport({ baseUrl: r.url }));
    await expect(client.modelMetadata({ name: "m", version: "1" })).rejects.toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: expect.stringContaining("100% of it is wrong"),
    });
  });

  it("answers gRPC health", async () => {
    const { r } = await mesh();
    const client = createClient(Health, createGrpcTransport({ baseUrl: r.url }));
    expect((await client.check({})).status).toBe(1);
    r.plane.info.drain();
    expect((await client.check({})).status).toBe(2);
    await expect(client.check({ service: "nothing" })).rejects.toMatchObject({ code: Code.NotFound });
  });

  it.each([
    ["/inference.GRPCInferenceService/SystemSharedMemoryRegister", /Send tensors/],
    ["/inference.GRPCInferenceService/RepositoryModelLoad", /aimass deploy/],
    ["/aimass.auth.v1.PolicyService/WatchPolicy", /not offered/],
    ["/aimass.scheduler.v1.RouteService/WatchRoutes", /not offered/],
    ["/aimass.scheduler.v1.ReplicaService/AttachReplica", /not offered/],
    ["/aimass.registry.v1.LibraryService/ListServable", /not offered/],
  ])("does not offer %s", async (path, message) => {
    const { r } = await mesh();
    const headers = { "content-type": "application/grpc", te: "trailers" };
    const { headers: answered } = await r.client.unary({ path, headers, body: Buffer.alloc(5) });
    expect(answered["grpc-status"]).toBe("12");
    expect(decodeURIComponent(answered["grpc-message"] ?? "")).toMatch(message);
  });
});

describe("Connect's GET", () => {
  const query = "?connect=v1&encoding=json&message=%7B%7D";

  it.each([
    "/aimass.registry.v1.ModelService/ListModels",
    "/aimass.auth.v1.SessionService/WhoAmI",
    "/grpc.health.v1.Health/Check",
    "/inference.GRPCInferenceService/ServerLive",
  ])("is no way to call %s, whatever it is declared to do", async (path) => {
    const { r } = await mesh();
    for (const method of ["GET", "HEAD", "PUT"]) {
      const answer = await fetch(`${r.url}${path}${query}`, { method });
      expect([answer.status, answer.headers.get("allow"), answer.headers.get("cache-control")]).toEqual([
        405,
        "POST",
        "no-store",
      ]);
    }
  });
});

describe("pages of others", () => {
  it("get no answer unless their origin is allowed", async () => {
    const { r } = await mesh({ AIMASS_ALLOWED_ORIGINS: "https://app.example.com" });
    const ask = (headers: Record<string, string>, method = "GET") =>
      fetch(`${r.url}/v2/health/live`, { headers, method });
    expect((await ask({ origin: "https://evil.example.com" })).status).toBe(403);
    expect((await ask({ origin: "null" })).status).toBe(403);
    expect((await ask({ origin: r.url })).status).toBe(200);
    const allowed = await ask({ origin: "https://app.example.com" });
    expect(allowed.headers.get("access-control-expose-headers")?.split(",")).toContain("trailer-aimass-version");
    expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([
      200,
      "https://app.example.com",
    ]);
    const preflight = await ask(
      { origin: "https://app.example.com", "access-control-request-headers": "authorization" },
      "OPTIONS",
    );
    expect([preflight.status, preflight.headers.get("access-control-allow-headers")]).toEqual([204, "authorization"]);
  });

  it("do not reach the router by a name that was pointed at it", async () => {
    const { r } = await mesh({ AIMASS_ALLOWED_HOSTS: "models.example.com" });
    const ask = async (authority: string) =>
      (await r.client.unary({ path: "/v2/health/live", method: "GET", authority, headers: {}, body: Buffer.alloc(0) }))
        .status;
    expect(await ask("evil.example.com")).toBe(403);
    expect(await ask("models.example.com:5000")).toBe(200);
    expect(await ask("localhost:5000")).toBe(200);
    expect(await ask("[::1]:5000")).toBe(200);
    expect(await ask("10.1.2.3")).toBe(200);
  });
});

describe("control-plane calls", () => {
  async function backend(handler: (call: ServerCall) => unknown, port = 0): Promise<Listener> {
    const made = await listen({ listen: { host: "127.0.0.1", port }, handler: (call) => void handler(call) });
    cleanups.push(() => made.drain(0));
    return made;
  }
  const path = "/aimass.auth.v1.SessionService/WhoAmI";
  const ask = (client: Upstream, body = Buffer.from("hello")) =>
    client.unary({
      path,
      headers: {
        "content-type": "application/proto",
        authorization: "Bearer x",
        "aimass-service": "forged",
        "aimass-principal": "user:root",
      },
      body,
    });

  it("reach their service with its caller's credential and the router's identity, and nothing forged", async () => {
    const seen: ServerCall[] = [];
    const auth = await backend(async (call) => {
      seen.push(call);
      call.respond({ status: 200, headers: { "x-from": "auth" }, body: await call.body(1000), trailers: { t: "1" } });
    });
    const { r } = await mesh({ AIMASS_AUTH_ADDRESSES: `127.0.0.1:${auth.address.port}` });
    const answer = await ask(r.client);
    expect(answer).toMatchObject({ status: 200, headers: { "x-from": "auth" }, trailers: { t: "1" } });
    expect(answer.body.toString()).toBe("hello");
    expect(seen[0]?.headers).toMatchObject({ authorization: "Bearer x", "x-forwarded-for": "127.0.0.1" });
    expect(seen[0]?.headers["aimass-principal"]).toBeUndefined();
    expect(r.auth.verify(seen[0]?.headers["aimass-service"] ?? "").role).toBe("router");
    expect(SessionService.typeName).toBe("aimass.auth.v1.SessionService");
  });

  it("go to another process when one is gone, and stream both ways in constant memory", async () => {
    const answering = async (call: ServerCall) => {
      const writer = call.open(200, {});
      for await (const chunk of call.chunks()) await writer.write(chunk);
      writer.end({});
    };
    const [one, two] = [await backend(answering), await backend(answering)];
    const addresses = [one, two].map((b) => `127.0.0.1:${b.address.port}`).join(",");
    const { r } = await mesh({ AIMASS_AUTH_ADDRESSES: addresses });
    await ask(r.client);
    await one.drain(0);
    for (let i = 0; i < 10; i++) expect((await ask(r.client)).status).toBe(200);
    const stream = r.client.open({ path, headers: {} });
    let back = 0;
    const reading = (async () => {
      for await (const chunk of stream.chunks()) back += chunk.length;
    })();
    for (let i = 0; i < 200; i++) await stream.write(Buffer.alloc(256 * 1024));
    stream.end();
    await reading;
    expect(back).toBe(200 * 256 * 1024);
  });

  it("wait for a service that is coming up, then say which one cannot be reached", async () => {
    const { r } = await mesh({ AIMASS_AUTH_ADDRESSES: "127.0.0.1:1", AIMASS_HOLD_MS: "200" });
    const answer = await ask(r.client);
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      code: "unavailable",
      message: /auth service cannot/ as never,
    });
  });

  it("let the service see that its caller has gone", async () => {
    let isAborted = false;
    const auth = await backend((call) => {
      call.signal.addEventListener("abort", () => {
        isAborted = true;
      });
      call.open(200, {}).write(Buffer.from("first"));
    });
    const { r } = await mesh({ AIMASS_AUTH_ADDRESSES: `127.0.0.1:${auth.address.port}` });
    const client = new Upstream({ address: { host: "127.0.0.1", port: r.port }, clock: systemClock });
    while (client.state !== "ready") await sleep(2);
    const stream = client.open({ path, headers: {} });
    await stream.response;
    client.close();
    await expect.poll(() => isAborted).toBe(true);
  });
});

async function* iterate<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items;
}

/** Ids of the answers of a stream, or their errors. */
function readStream(bytes: Buffer): string[] {
  const answers: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    const { errorMessage, response } = decodeStreamInferResponse(bytes.subarray(at + 5, end));
    answers.push(errorMessage || (response?.id ?? ""));
    at = end;
  }
  return answers;
}
