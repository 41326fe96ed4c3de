import { once } from "node:events";
import { connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { createApiKey } from "@aimass/identity";
import { afterEach, describe, expect, it } from "vitest";
import { inferGrant, keyEntry, startTestRouter, type TestRouter, userEntry } from "../testing/router-fixture.ts";
import { frame } from "./frames.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const key = createApiKey();
const authorization = `Bearer ${key.text}`;
const ada = [userEntry("ada"), keyEntry(key.id, key.secretSha256, "user:ada"), inferGrant("user:ada", "default.m")];

const watch = "/grpc.health.v1.Health/Watch";
const reflect = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const reflectAlpha = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
const infer = "/inference.GRPCInferenceService/ModelStreamInfer";

async function router(env: Record<string, string>): Promise<TestRouter> {
  const r = await startTestRouter(env);
  cleanups.push(() => r[Symbol.asyncDispose]());
  r.grant([...ada, inferGrant("anonymous", "*")]);
  return r;
}

/** Opens a stream on a connection of its own. */
function open(r: TestRouter, path: string, { headers = {}, readBytes = 65_535 } = {}) {
  const session = connect(r.url, { settings: { initialWindowSize: readBytes } }).on("error", () => {});
  cleanups.push(() => session.destroy());
  const grpc = { "content-type": "application/grpc", te: "trailers" };
  const stream = session.request({ ":method": "POST", ":path": path, ...grpc, ...headers });
  stream.on("error", () => {});
  if (path === watch) stream.end(frame(Buffer.alloc(0)));
  const status = Promise.withResolvers<{ code: string; message: string }>();
  const told = (fields: Record<string, unknown>) => {
    if (fields["grpc-status"] === undefined) return;
    status.resolve({
      code: String(fields["grpc-status"]),
      message: decodeURIComponent(String(fields["grpc-message"])),
    });
  };
  stream.on("response", told).on("trailers", told);
  stream.on("close", () => status.resolve({ code: "closed", message: "" }));
  if (readBytes > 0) stream.resume();
  return { stream, status: status.promise, opened: once(stream, "response").catch(() => {}) };
}

async function openMany(r: TestRouter, count: number, path: string, headers: Record<string, string> = {}) {
  const streams = Array.from({ length: count }, () => open(r, path, { headers }));
  await (path === reflect || path === reflectAlpha ? sleep(300) : Promise.all(streams.map(({ opened }) => opened)));
  return streams;
}

async function metric(r: TestRouter, name: string): Promise<number> {
  return Number(new RegExp(`^${name}[^\\n]* (\\d+)$`, "m").exec(await r.telemetry.metricsText())?.[1]);
}

const from = (address: string) => ({ "x-forwarded-for": address });
const behindProxies = { AIMASS_TRUSTED_PROXIES: "127.0.0.0/8" };

describe("streams without a credential", () => {
  it.each([watch, infer, reflect, reflectAlpha])("are bounded by address: %s", async (path) => {
    const r = await router({ AIMASS_MAX_ANONYMOUS_STREAMS_PER_ADDRESS: "3" });
    const held = await openMany(r, 3, path);
    const refused = await open(r, path).status;
    expect(refused.code).toBe("8");
    expect(refused.message).toContain("Your address has 3 streams open without a credential");
    expect(await metric(r, "aimass_router_anonymous_streams")).toBe(3);
    expect(await metric(r, "aimass_router_streams_ended_total")).toBe(1);
    held[0]?.stream.close(8);
    await expect.poll(() => metric(r, "aimass_router_anonymous_streams")).toBe(2);
    await open(r, watch).opened;
    expect(await metric(r, "aimass_router_anonymous_streams")).toBe(3);
  });

  it("are counted together over all kinds, and with a credential that does not hold", async () => {
    const r = await router({ AIMASS_MAX_ANONYMOUS_STREAMS_PER_ADDRESS: "3" });
    await Promise.all([openMany(r, 1, watch), openMany(r, 1, infer)]);
    await open(r, watch, { headers: { authorization: `Bearer ${createApiKey().text}` } }).opened;
    expect((await open(r, reflect).status).code).toBe("8");
  });

  it("are told apart behind a trusted proxy, by /64 where they come by IPv6, and not bounded where they are its own", async () => {
    const r = await router({ AIMASS_MAX_ANONYMOUS_STREAMS_PER_ADDRESS: "2", ...behindProxies });
    await openMany(r, 2, watch, from("203.0.113.7"));
    expect((await open(r, watch, { headers: from("203.0.113.7") }).status).code).toBe("8");
    await openMany(r, 1, watch, from("203.0.113.8"));
    await openMany(r, 1, watch, from("2001:db8:1:2::1"));
    await openMany(r, 1, watch, from("2001:db8:1:2:ffff::2"));
    expect((await open(r, watch, { headers: from("2001:db8:1:2::3") }).status).code).toBe("8");
    await openMany(r, 1, watch, from("2001:db8:1:3::3"));
    await openMany(r, 5, watch);
    expect(await metric(r, "aimass_router_anonymous_streams")).toBe(11);
  });

  it("are bounded in all: an address with fewer gets a place of the one that has most", async () => {
    const r = await router({
      AIMASS_MAX_ANONYMOUS_STREAMS: "6",
      AIMASS_MAX_ANONYMOUS_STREAMS_PER_ADDRESS: "5",
      ...behindProxies,
    });
    const many = await openMany(r, 5, watch, from("203.0.113.7"));
    await openMany(r, 1, watch, from("203.0.113.8"));
    expect((await open(r, watch, { headers: from("203.0.113.7") }).status).code).toBe("8");
    const other = open(r, watch, { headers: from("203.0.113.9") });
    await other.opened;
    const ended = await Promise.race(many.map(({ status }) => status));
    expect(ended.code).toBe("8");
    expect(ended.message).toContain("your address has most");
    expect(await metric(r, "aimass_router_anonymous_streams")).toBe(6);
  });

  it("go on for a load balancer that watches health by hundreds of connections", async () => {
    const r = await router({});
    await openMany(r, 300, watch);
    expect(await metric(r, "aimass_router_anonymous_streams")).toBe(300);
    expect(await metric(r, "aimass_router_streams_ended_total")).toBe(0);
  }, 60_000);

  it.each([watch, infer, reflect])("end when nothing moves on them, with a sentence: %s", async (path) => {
    const r = await router({ AIMASS_ANONYMOUS_STREAM_IDLE_MS: "500" });
    const { code, message } = await open(r, path).status;
    expect(code).toBe("14");
    expect(message).toContain("nothing moved on it for 0.5 s");
    await expect.poll(() => metric(r, "aimass_router_anonymous_streams")).toBe(0);
  });

  it("end also when their callers read nothing of it", async () => {
    const r = await router({ AIMASS_ANONYMOUS_STREAM_IDLE_MS: "500" });
    const { stream, status } = open(r, infer, { readBytes: 0 });
    stream.write(frame(Buffer.alloc(0)));
    expect((await status).code).toBe("closed");
    await expect.poll(() => metric(r, "aimass_router_anonymous_streams")).toBe(0);
  });

  it("go on while something moves on them", async () => {
    const r = await router({ AIMASS_ANONYMOUS_STREAM_IDLE_MS: "800" });
    const { stream, status } = open(r, infer);
    for (let i = 0; i < 10; i++) {
      stream.write(frame(Buffer.alloc(0)));
      await sleep(200);
    }
    stream.end();
    expect((await status).code).toBe("0");
  });
});

describe("streams of a known caller", () => {
  it.each([watch, infer])("stay open with nothing moving, and whatever strangers do: %s", async (path) => {
    const r = await router({
      AIMASS_ANONYMOUS_STREAM_IDLE_MS: "300",
      AIMASS_MAX_ANONYMOUS_STREAMS: "1",
      AIMASS_MAX_ANONYMOUS_STREAMS_PER_ADDRESS: "1",
    });
    const streams = await openMany(r, 5, path, { authorization });
    await openMany(r, 1, watch);
    await sleep(1500);
    expect(await metric(r, "aimass_router_known_streams")).toBe(5);
    for (const { stream } of streams) expect(stream.closed).toBe(false);
  });

  it("wait for their next question longer than a body may take: reflection", async () => {
    const r = await router({});
    const [held] = await openMany(r, 1, reflect, { authorization });
    await sleep(10_500);
    expect(held?.stream.closed).toBe(false);
    held?.stream.end();
    expect((await held?.status)?.code).toBe("0");
  });

  it("are bounded by caller", async () => {
    const r = await router({ AIMASS_MAX_STREAMS_PER_PRINCIPAL: "2" });
    await openMany(r, 1, watch, { authorization });
    await openMany(r, 1, infer, { authorization });
    const { code, message } = await open(r, watch, { headers: { authorization } }).status;
    expect(code).toBe("8");
    expect(message).toContain("You have 2 streams open");
    await open(r, watch).opened;
  });
});
