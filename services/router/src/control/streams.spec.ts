import { once } from "node:events";
import { type ClientHttp2Stream, connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { Level } from "@aimass/api/auth";
import { listen, type ServerCall } from "@aimass/h2";
import { grpcStatusOf } from "@aimass/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { inferGrant, startTestRouter, type TestRouter } from "../testing/router-fixture.ts";
import { isStreamingPath, publicServices, streamVerbs } from "./public-services.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A router before a registry that answers nothing unless told how, and how many connections that has. */
async function silentRegistry(answer: (call: ServerCall) => void = () => {}) {
  const calls: ServerCall[] = [];
  const registry = await listen({
    listen: { host: "127.0.0.1", port: 0 },
    handler: (call) => {
      calls.push(call);
      answer(call);
    },
  });
  cleanups.push(() => registry.drain(0));
  const address = `127.0.0.1:${registry.address.port}`;
  const r = await startTestRouter({ AIMASS_REGISTRY_ADDRESSES: address, AIMASS_AUTH_ADDRESSES: address });
  cleanups.push(() => r[Symbol.asyncDispose]());
  return { r, registry, calls };
}

const upload = "/aimass.registry.v1.ArtifactService/WriteUpload";
const listModels = "/aimass.registry.v1.ModelService/ListModels";
const signIn = "/aimass.auth.v1.SessionService/SignIn";

/** Opens a call whose body a test writes, and its gRPC status. */
function openCall(r: TestRouter, path: string, headers: Record<string, string> = {}) {
  const session = connect(r.url);
  session.on("error", () => {});
  cleanups.push(() => session.destroy());
  const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", ...headers });
  return { stream, status: grpcStatusOf(stream) };
}

function drip(stream: ClientHttp2Stream, piece: Uint8Array, everyMs: number): void {
  const dripping = setInterval(() => void (stream.writable && stream.write(piece)), everyMs);
  cleanups.push(() => clearInterval(dripping));
}

/** Opens uploads without a byte; their answers come as gRPC statuses. */
function openUploads(r: TestRouter, count: number): Promise<string>[] {
  const session = connect(r.url);
  session.on("error", () => {});
  cleanups.push(() => session.destroy());
  return Array.from({ length: count }, async () => {
    const stream = session.request({ ":method": "POST", ":path": upload, "content-type": "application/grpc" });
    stream.on("error", () => {});
    stream.resume();
    const [headers] = (await once(stream, "response")) as [Record<string, string>];
    return headers["grpc-status"] ?? "";
  });
}

describe("streaming calls of callers without a credential", () => {
  it("are refused by their headers where nothing is granted to all", async () => {
    const { r, registry } = await silentRegistry();
    r.grant([]);
    const before = registry.connections;
    expect(new Set(await Promise.all(openUploads(r, 100)))).toEqual(new Set(["16"]));
    expect(registry.connections).toBe(before);
  });

  it("take a few connections at most where something is, and end when nothing comes", async () => {
    const { r, registry } = await silentRegistry();
    r.grant([inferGrant("anonymous", "*", Level.EDIT)]);
    const before = registry.connections;
    const outcomes = await Promise.all(openUploads(r, 300));
    expect(outcomes.filter((status) => status === "8")).toHaveLength(292);
    expect(outcomes.filter((status) => status === "4")).toHaveLength(8);
    expect(registry.connections - before).toBeLessThanOrEqual(8);
  }, 120_000);
});

describe("a body for the control plane", () => {
  it.each([upload, listModels])(
    "ends when it comes by a byte a second: %s",
    async (path) => {
      const { r } = await silentRegistry();
      r.grant([inferGrant("anonymous", "*", Level.EDIT)]);
      const { stream, status } = openCall(r, path);
      stream.write(Buffer.alloc(100));
      drip(stream, Buffer.alloc(1), 1000);
      expect(await status).toBe("4");
    },
    15_000,
  );

  it("ends at the deadline of its call", async () => {
    const { r } = await silentRegistry();
    r.grant([inferGrant("anonymous", "*", Level.EDIT)]);
    const outcomes = [upload, listModels].map((path) => {
      const { stream, status } = openCall(r, path, { "grpc-timeout": "500m" });
      drip(stream, Buffer.alloc(10_000), 50);
      return status;
    });
    expect(await Promise.all(outcomes)).toEqual(["4", "4"]);
  });

  it("goes on while the service takes its time to read it, and when it goes on reading", async () => {
    let bytes = 0;
    const slowly = async (call: ServerCall) => {
      const chunks = call.chunks()[Symbol.asyncIterator]();
      await chunks.next();
      await sleep(12_000);
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) bytes += next.value.length;
      call.respond({ status: 200, headers: { "content-type": "application/grpc" }, trailers: { "grpc-status": "0" } });
    };
    const { r } = await silentRegistry((call) => void slowly(call));
    r.grant([inferGrant("anonymous", "*", Level.EDIT)]);
    const { stream, status } = openCall(r, upload);
    // More than every window on the way takes.
    for (let i = 0; i < 48; i++) stream.write(Buffer.alloc(1024 * 1024));
    stream.end();
    expect(await status).toBe("0");
    expect(bytes).toBeGreaterThan(40 * 1024 * 1024);
  }, 120_000);
});

describe("a caller without a credential, where nothing is granted to all", () => {
  it.each([
    ["compressed", { "grpc-encoding": "gzip" }],
    ["large", { "content-length": "1000000" }],
  ])("is refused by the headers of a %s message", async (_, headers) => {
    const { r, calls } = await silentRegistry();
    r.grant([]);
    const { status } = openCall(r, listModels, headers);
    expect(await status).toBe("16");
    expect(calls).toEqual([]);
  });

  it("is refused once a message becomes larger than signing in takes", async () => {
    const { r } = await silentRegistry();
    r.grant([]);
    const { stream, status } = openCall(r, signIn);
    stream.write(Buffer.alloc(100_000));
    expect(await status).toBe("16");
  });

  it("may sign in, compressed too", async () => {
    const { r, calls } = await silentRegistry((call) =>
      call.respond({ status: 200, headers: { "content-type": "application/grpc", "grpc-status": "0" } }),
    );
    r.grant([]);
    const { stream, status } = openCall(r, signIn, { "grpc-encoding": "gzip" });
    stream.end(Buffer.alloc(20));
    expect(await status).toBe("0");
    expect(calls).toHaveLength(1);
  });
});

it("knows what each public streaming RPC asks for", () => {
  const paths = Object.values(publicServices)
    .flat()
    .flatMap((service) => service.methods.map((method) => `/${service.typeName}/${method.name}`));
  expect(Object.keys(streamVerbs).sort()).toEqual(paths.filter(isStreamingPath).sort());
});
