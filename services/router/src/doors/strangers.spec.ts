import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { deflateSync, gzipSync } from "node:zlib";
import { createApiKey } from "@aimass/identity";
import { afterEach, describe, expect, it } from "vitest";
import {
  inferBody,
  inferGrant,
  keyEntry,
  modelEntry,
  replicaEntry,
  startTestRouter,
  type TestRouter,
  userEntry,
} from "../testing/router-fixture.ts";
import { startReplica } from "../testing/tiny-replica.ts";
import { frame, prefixBytes } from "./frames.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const key = createApiKey();
const authorization = `Bearer ${key.text}`;
const ada = [userEntry("ada"), keyEntry(key.id, key.secretSha256, "user:ada"), inferGrant("user:ada", "default.m")];

async function mesh(env: Record<string, string> = {}): Promise<TestRouter> {
  const [r, a] = await Promise.all([startTestRouter(env), startReplica("a")]);
  cleanups.push(
    () => r[Symbol.asyncDispose](),
    () => a.kill(),
  );
  r.route([replicaEntry("a", a.address), modelEntry("m", { 1: ["a"] }), modelEntry("other", { 1: ["a"] })]);
  await expect.poll(() => r.plane.pool.replicas.get("a")?.isUsable).toBe(true);
  r.grant(ada);
  return r;
}

const mebi = 1024 * 1024;
const infer = "/inference.GRPCInferenceService/ModelInfer";
const message = (bytes: number) => inferBody("m", { bytes }).subarray(prefixBytes);

/** One request by every protocol and encoding, whose body becomes `bytes` large. */
const ways: [string, (bytes: number) => { path: string; headers: Record<string, string>; body: Buffer }][] = [
  ["gRPC with gzip", (n) => grpc("application/grpc", "gzip", gzipSync(message(n)))],
  ["gRPC with deflate", (n) => grpc("application/grpc", "deflate", deflateSync(message(n)))],
  ["gRPC-Web with gzip", (n) => grpc("application/grpc-web+proto", "gzip", gzipSync(message(n)))],
  ["Connect with gzip", (n) => plain(infer, "application/proto", "gzip", gzipSync(message(n)))],
  ["REST with gzip", (n) => plain("/v2/models/m/infer", "application/json", "gzip", gzipSync(json(n)))],
  ["REST with deflate", (n) => plain("/v2/models/m/infer", "application/json", "deflate", deflateSync(json(n)))],
  ["/predict with gzip", (n) => plain("/models/m/predict", "application/json", "gzip", gzipSync(json(n)))],
];

function grpc(type: string, encoding: string, body: Buffer) {
  const headers = { "content-type": type, te: "trailers", "grpc-encoding": encoding };
  return { path: infer, headers, body: frame(body, 1) };
}

function plain(path: string, type: string, encoding: string, body: Buffer) {
  return { path, headers: { "content-type": type, "content-encoding": encoding }, body };
}

function json(bytes: number): string {
  return JSON.stringify({ text: " ".repeat(bytes) });
}

/** The outcome of a call, whatever its protocol: a gRPC status, or one of HTTP. */
async function outcome(r: TestRouter, request: { path: string; headers: Record<string, string>; body: Buffer }) {
  const { status, headers, trailers } = await r.client.unary({ ...request, timeoutMs: 60_000 });
  const grpcStatus = trailers["grpc-status"] ?? headers["grpc-status"];
  return grpcStatus === undefined ? status : `grpc ${grpcStatus}`;
}

async function nothingHeld(r: TestRouter): Promise<void> {
  await expect.poll(() => r.telemetry.metricsText()).toMatch(/aimass_router_received_bytes[^\n]* 0\n/);
}

describe("a compressed body", () => {
  it.each(ways)("is counted as large as it becomes: %s", async (_, request) => {
    const r = await mesh({ AIMASS_MAX_RECEIVED_BYTES: String(2 * mebi) });
    const { path, headers, body } = request(1.5 * mebi);
    expect(["grpc 8", 429, 413]).toContain(await outcome(r, { path, headers: { ...headers, authorization }, body }));
    const small = request(100_000);
    const answered = await outcome(r, { ...small, headers: { ...small.headers, authorization } });
    // A gRPC-Web answer has its status in the body.
    expect(["grpc 0", 200]).toContain(answered);
    await nothingHeld(r);
  });

  it.each(ways)("may not become a hundred times its size for a caller without a credential: %s", async (_, request) => {
    const r = await mesh();
    r.grant([inferGrant("anonymous", "default")]);
    const answers = await Promise.all(Array.from({ length: 6 }, () => outcome(r, request(8 * mebi))));
    for (const answer of answers) expect(["grpc 8", 429, 413]).toContain(answer);
    await nothingHeld(r);
  });

  it("is refused by the model that its beginning names, before the rest is decompressed", async () => {
    const r = await mesh({ AIMASS_MAX_RECEIVED_BYTES: String(2 * mebi) });
    const hidden = gzipSync(inferBody("other", { bytes: 64 * mebi }).subarray(prefixBytes));
    const request = grpc("application/grpc", "gzip", hidden);
    expect(await outcome(r, { ...request, headers: { ...request.headers, authorization } })).toBe("grpc 5");
  });

  it("counts also as one message of a stream", async () => {
    const r = await mesh({ AIMASS_MAX_RECEIVED_BYTES: String(2 * mebi) });
    const stream = r.client.open({
      path: "/inference.GRPCInferenceService/ModelStreamInfer",
      headers: { "content-type": "application/grpc", te: "trailers", "grpc-encoding": "gzip", authorization },
    });
    stream.write(frame(gzipSync(message(1.5 * mebi)), 1));
    stream.end();
    let text = "";
    for await (const chunk of stream.chunks()) text += chunk.toString("latin1");
    expect(text).toContain("no room for more request bodies");
    await nothingHeld(r);
  });
});

describe("a caller without a credential, where nothing is granted to all", () => {
  it("is refused by REST before a byte of the body has come", async () => {
    const r = await mesh();
    const socket = connect(r.port, "127.0.0.1");
    cleanups.push(() => socket.destroy());
    socket.write("POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000000\r\n\r\n{");
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 401 /);
  });

  it.each(["ModelInfer", "ModelStreamInfer"])(
    "is refused by gRPC before a byte of the body has come: %s",
    async (rpc) => {
      const r = await mesh();
      expect(await openCall(r, `/inference.GRPCInferenceService/${rpc}`, { "content-type": "application/grpc" })).toBe(
        "16",
      );
    },
  );

  it("is counted, and holds nothing", async () => {
    const r = await mesh();
    await outcome(r, grpc("application/grpc", "identity", message(16)));
    expect(await r.telemetry.metricsText()).toMatch(/aimass_router_requests_total{[^}]*code="UNAUTHENTICATED"[^}]*} 1/);
    await nothingHeld(r);
  });
});

describe("a body that does not come", () => {
  it("ends at the deadline of its call, by gRPC", async () => {
    const r = await mesh();
    const headers = { "content-type": "application/grpc", "grpc-timeout": "300m", authorization };
    const startedAt = performance.now();
    expect(await openCall(r, infer, headers)).toBe("4");
    expect(performance.now() - startedAt).toBeLessThan(3000);
    await nothingHeld(r);
  });

  it("ends at the deadline of its call, by REST over HTTP/1.1", async () => {
    const r = await mesh();
    const socket = connect(r.port, "127.0.0.1");
    cleanups.push(() => socket.destroy());
    const head = `POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\n`;
    socket.write(`${head}X-Timeout-Ms: 300\r\nContent-Length: 2000\r\n\r\n{`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 504 /);
    await nothingHeld(r);
  });

  it("ends when it comes by next to nothing", async () => {
    const r = await mesh();
    expect(await openCall(r, infer, { "content-type": "application/grpc", authorization }, 100)).toBe("4");
    await nothingHeld(r);
  }, 120_000);

  it("is refused once its beginning names a model that the caller may not run", async () => {
    const r = await mesh();
    const body = inferBody("other", { bytes: mebi });
    const session = connectHttp2(r.url);
    cleanups.push(() => session.destroy());
    const stream = session.request({
      ":method": "POST",
      ":path": infer,
      "content-type": "application/grpc",
      authorization,
    });
    stream.on("error", () => {});
    stream.write(body.subarray(0, 200_000));
    const [headers] = (await once(stream, "response")) as [Record<string, string>];
    expect(headers["grpc-status"]).toBe("5");
  });
});

describe("connections on which somebody says nothing", () => {
  it("are bounded, counted, and take nothing from whoever proved who they are", async () => {
    const r = await mesh({ AIMASS_MAX_IDLE_CONNECTIONS_PER_ADDRESS: "20" });
    const session = connectHttp2(r.url);
    cleanups.push(() => session.destroy());
    const ask = async () => {
      const stream = session.request({ ":path": "/v2/models/m", authorization });
      const [headers] = (await once(stream.resume(), "response")) as [Record<string, string>];
      return headers[":status"];
    };
    expect(await ask()).toBe(200);
    const sockets = Array.from({ length: 60 }, () => connect(r.port, "127.0.0.1").on("error", () => {}));
    cleanups.push(() => sockets.map((socket) => socket.destroy()));
    await expect
      .poll(() => r.telemetry.metricsText(), { timeout: 4000 })
      .toMatch(/aimass_router_idle_connections[^\n]* 20\n/);
    expect(await r.telemetry.metricsText()).toMatch(/aimass_router_idle_connections_closed_total[^\n]* [45]\d\n/);
    expect(await ask()).toBe(200);
  });

  it("are not those of one address when a trusted proxy brings them", async () => {
    const r = await mesh({ AIMASS_MAX_IDLE_CONNECTIONS_PER_ADDRESS: "20", AIMASS_TRUSTED_PROXIES: "127.0.0.0/8" });
    const sockets = Array.from({ length: 60 }, () => connect(r.port, "127.0.0.1").on("error", () => {}));
    cleanups.push(() => sockets.map((socket) => socket.destroy()));
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await r.telemetry.metricsText()).toMatch(/aimass_router_idle_connections_closed_total[^\n]* 0\n/);
  });
});

/** Opens a call that sends a byte and then, perhaps, some more now and then, but never its end. Its gRPC status. */
async function openCall(r: TestRouter, path: string, headers: Record<string, string>, everyMs = 0): Promise<string> {
  const session = connectHttp2(r.url);
  cleanups.push(() => session.destroy());
  const stream = session.request({ ":method": "POST", ":path": path, te: "trailers", ...headers });
  stream.on("error", () => {});
  stream.write(Buffer.alloc(1));
  const dripping = everyMs === 0 ? undefined : setInterval(() => stream.write(Buffer.alloc(1)), everyMs);
  cleanups.push(() => clearInterval(dripping));
  const trailers = once(stream, "trailers").catch(() => []);
  const [answered] = (await once(stream, "response")) as [Record<string, string>];
  if (answered["grpc-status"] !== undefined) return answered["grpc-status"];
  stream.resume();
  return ((await trailers) as [Record<string, string>])[0]["grpc-status"] ?? "";
}
