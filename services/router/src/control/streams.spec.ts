import { once } from "node:events";
import { connect } from "node:http2";
import { Level } from "@aimass/api/auth";
import { listen, type ServerCall } from "@aimass/h2";
import { afterEach, describe, expect, it } from "vitest";
import { inferGrant, startTestRouter, type TestRouter } from "../testing/router-fixture.ts";
import { isStreamingPath, publicServices, streamVerbs } from "./public-services.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A router before a registry that answers nothing, and how many connections that has. */
async function silentRegistry() {
  const calls: ServerCall[] = [];
  const registry = await listen({ listen: { host: "127.0.0.1", port: 0 }, handler: (call) => void calls.push(call) });
  cleanups.push(() => registry.drain(0));
  const r = await startTestRouter({ AIMASS_REGISTRY_ADDRESSES: `127.0.0.1:${registry.address.port}` });
  cleanups.push(() => r[Symbol.asyncDispose]());
  return { r, registry, calls };
}

/** Opens uploads without a byte; their answers come as gRPC statuses. */
function openUploads(r: TestRouter, count: number): Promise<string>[] {
  const session = connect(r.url);
  session.on("error", () => {});
  cleanups.push(() => session.destroy());
  return Array.from({ length: count }, async () => {
    const path = "/aimass.registry.v1.ArtifactService/WriteUpload";
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc" });
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
  }, 30_000);
});

it("knows what each public streaming RPC asks for", () => {
  const paths = Object.values(publicServices)
    .flat()
    .flatMap((service) => service.methods.map((method) => `/${service.typeName}/${method.name}`));
  expect(Object.keys(streamVerbs).sort()).toEqual(paths.filter(isStreamingPath).sort());
});
