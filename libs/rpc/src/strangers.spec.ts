import { once } from "node:events";
import { type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { ArtifactService, ModelService, WriteUploadRequestSchema } from "@aimass/api/registry";
import { type Clock, systemClock } from "@aimass/core";
import { generateMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { silentTelemetry } from "@aimass/telemetry";
import { grpcStatusOf } from "@aimass/testkit";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterEach, describe, expect, it } from "vitest";
import { closeServiceClients } from "./grpc-channels.ts";
import { type RpcServer, serveRpc } from "./rpc-server.ts";
import { createServiceClient } from "./service-client.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  closeServiceClients();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const mesh = generateMeshIdentity(["registry", "trainer", "router"]);

function identity(role: string): ServiceIdentity {
  return new ServiceIdentity(mesh.identities.get(role) as never, mesh.trust, systemClock);
}

/** Time that goes by twenty times as fast. */
const quickClock: Clock = {
  ...systemClock,
  monotonic: () => systemClock.monotonic() * 20,
  sleep: (ms, signal) => systemClock.sleep(ms / 20, signal),
  timer: (ms, callback) => systemClock.timer(ms / 20, callback),
};

/** Of the server that a test serves. */
let telemetry = silentTelemetry();
/** Chunks of uploads that came, and how long the service takes for each. */
const uploads = { chunks: 0, pauseMs: 0 };

async function serve(clock = systemClock): Promise<RpcServer> {
  Object.assign(uploads, { chunks: 0, pauseMs: 0 });
  telemetry = silentTelemetry();
  const server = await serveRpc({
    name: "registry",
    listen: { host: "127.0.0.1", port: 0 },
    identity: identity("registry"),
    telemetry,
    clock,
    services: [ModelService, ArtifactService],
    routes: (router) =>
      router
        .service(ModelService, { getModel: ({ name }) => ({ model: { name: String(name.length) } }) })
        .service(ArtifactService, {
          async writeUpload(requests) {
            for await (const _ of requests) {
              uploads.chunks += 1;
              await systemClock.sleep(uploads.pauseMs);
            }
            return {};
          },
        }),
  });
  cleanups.push(() => server.drain(0));
  return server;
}

/** Opens a call whose body a test writes, and how it ends: a gRPC status, or "closed" where it has none. */
function open(server: RpcServer, path: string, headers: Record<string, string> = {}) {
  const session = connectHttp2(`http://127.0.0.1:${server.address.port}`);
  session.on("error", () => {});
  cleanups.push(() => session.destroy());
  const type = { "content-type": "application/grpc", te: "trailers" };
  const token = { "aimass-service": identity("router").token() };
  const stream: ClientHttp2Stream = session.request({
    ":method": "POST",
    ":path": path,
    ...type,
    ...token,
    ...headers,
  });
  return { stream, status: grpcStatusOf(stream) };
}

const upload = "/aimass.registry.v1.ArtifactService/WriteUpload";
const getModel = "/aimass.registry.v1.ModelService/GetModel";

function frame(message: Uint8Array, flags = 0): Buffer {
  const prefix = Buffer.alloc(5, flags);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function chunk(bytes: number): Buffer {
  return frame(toBinary(WriteUploadRequestSchema, create(WriteUploadRequestSchema, { chunk: new Uint8Array(bytes) })));
}

/** Sends a little again and again. */
function drip(stream: ClientHttp2Stream, piece: Uint8Array, everyMs: number): void {
  const dripping = setInterval(() => void (stream.writable && stream.write(piece)), everyMs);
  cleanups.push(() => clearInterval(dripping));
}

describe("a request that comes by next to nothing", () => {
  it.each([getModel, upload])(
    "ends: %s",
    async (path) => {
      const server = await serve(quickClock);
      const { stream, status } = open(server, path);
      stream.write(chunk(100_000).subarray(0, 50));
      drip(stream, Buffer.alloc(1), 50);
      expect(await status).toBe("4");
    },
    15_000,
  );

  it("ends as a whole message too that takes too long", async () => {
    const server = await serve(quickClock);
    const { stream, status } = open(server, getModel);
    stream.write(frame(new Uint8Array(8_000_000)).subarray(0, 5));
    drip(stream, Buffer.alloc(2000), 50);
    expect(await status).toBe("4");
  }, 120_000);

  it("is let go once it was refused, whatever still comes", async () => {
    const server = await serve();
    const { stream, status } = open(server, upload, { "aimass-service": "nobody" });
    drip(stream, Buffer.alloc(1), 20);
    expect(await status).toBe("16");
    await expect.poll(() => stream.closed, { timeout: 3000 }).toBe(true);
  });

  it("goes on where it is the service that takes its time", async () => {
    const server = await serve(quickClock);
    uploads.pauseMs = 1500;
    const { stream, status } = open(server, upload);
    for (let i = 0; i < 4; i++) stream.write(chunk(900_000));
    stream.end();
    expect(await status).toBe("0");
    expect(uploads.chunks).toBe(4);
  }, 120_000);

  it("goes on for as long as it keeps its pace", async () => {
    const server = await serve(quickClock);
    const { stream, status } = open(server, upload);
    drip(stream, chunk(4000), 100);
    await systemClock.sleep(4000);
    expect(stream.closed).toBe(false);
    stream.end();
    expect(await status).toBe("0");
  }, 120_000);
});

/** What requests hold, as the one server tells it. */
const nothingHeld = () =>
  expect.poll(() => telemetry.metricsText(), { timeout: 10_000 }).toMatch(/^aimass_rpc_request_body_bytes[^\n]* 0$/m);

describe("requests that were answered", () => {
  it("are let go, one after another", async () => {
    const server = await serve();
    const client = createServiceClient(ModelService, { addresses: [server.address], identity: identity("trainer") });
    for (let calls = 0; calls < 50; calls++) await client.getModel({ name: "a".repeat(10_000) });
    await nothingHeld();
  });

  it("are let go where they were refused", async () => {
    const server = await serve();
    const { stream, status } = open(server, "/aimass.registry.v1.ModelService/ListModels");
    stream.end(chunk(100_000));
    expect(await status).toBe("12");
    await nothingHeld();
  });
});

describe("an upload in chunks", () => {
  it("counts while a chunk comes, so that many at once are refused before memory is full, and let go", async () => {
    const server = await serve();
    const calls = Array.from({ length: 30 }, () => {
      const { stream, status } = open(server, upload, { "aimass-service": identity("trainer").token() });
      stream.write(chunk(7 * 1024 * 1024).subarray(0, -1));
      return { stream, status };
    });
    // The others wait for the rest of their chunks.
    expect(await Promise.race(calls.map(({ status }) => status))).toBe("8");
    for (const { stream } of calls) stream.destroy();
    await nothingHeld();
  }, 60_000);

  it("counts no longer than its chunks are read, however many they are", async () => {
    const server = await serve();
    const { stream, status } = open(server, upload, { "aimass-service": identity("trainer").token() });
    for (let i = 0; i < 40; i++) {
      for (const piece of [chunk(7 * 1024 * 1024), chunk(10)]) if (!stream.write(piece)) await once(stream, "drain");
    }
    stream.end();
    expect(await status).toBe("0");
    expect(uploads.chunks).toBe(80);
    await nothingHeld();
  }, 60_000);
});

describe("compressed requests", () => {
  const bomb = frame(gzipSync(Buffer.alloc(7 * 1024 * 1024)), 1);

  it("of callers without a credential are refused where they become a hundred times as large, a hundred at once", async () => {
    const server = await serve();
    const before = process.memoryUsage().rss;
    const calls = Array.from({ length: 100 }, () => {
      const { stream, status } = open(server, getModel, { "grpc-encoding": "gzip" });
      stream.end(bomb);
      return status;
    });
    expect(new Set(await Promise.all(calls))).toEqual(new Set(["8"]));
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
    await nothingHeld();
  }, 120_000);

  it("of a service are taken, as many as there is room for, and let go", async () => {
    const server = await serve();
    const headers = { "grpc-encoding": "gzip", "aimass-service": identity("trainer").token() };
    const large = frame(gzipSync(chunk(7 * 1024 * 1024).subarray(5)), 1);
    const calls = Array.from({ length: 30 }, () => {
      const { stream, status } = open(server, upload, headers);
      stream.write(large);
      return { stream, status };
    });
    await expect.poll(() => uploads.chunks, { timeout: 60_000 }).toBeGreaterThan(10);
    for (const { stream } of calls) stream.end();
    const outcomes = await Promise.all(calls.map(({ status }) => status));
    expect(outcomes.filter((status) => status === "0").length).toBeGreaterThan(10);
    expect(outcomes.filter((status) => status === "8").length).toBeGreaterThan(5);
    await nothingHeld();
  }, 120_000);
});

describe("a service's port that somebody opens again and again to say nothing", () => {
  it("keeps a bounded number of connections, and those of its callers", async () => {
    const server = await serve();
    const client = createServiceClient(ModelService, { addresses: [server.address], identity: identity("trainer") });
    await client.getModel({ name: "ab" });
    let closed = 0;
    const openOne = async () => {
      const socket = connect(server.address.port, "127.0.0.1");
      cleanups.push(() => socket.destroy());
      socket
        .resume()
        .on("error", () => {})
        .on("close", () => {
          closed += 1;
        });
      await once(socket, "connect");
    };
    // No more at once than wait to be accepted.
    for (let batch = 0; batch < 4; batch++) await Promise.all(Array.from({ length: 250 }, openOne));
    await expect.poll(() => closed, { timeout: 5000 }).toBeGreaterThanOrEqual(480);
    expect((await client.getModel({ name: "abc" })).model?.name).toBe("3");
  });
});
