import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ModelInferRequestSchema } from "@aimass/api/inference";
import type { MeshEvent } from "@aimass/cli";
import { tinyModel } from "@aimass/onnx/samples";
import { waitFor } from "@aimass/testkit";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GrpcCaller, http, inferPath } from "../support/plain-calls.ts";
import { TestMesh } from "../support/test-mesh.ts";
import { type CollectedSpan, TraceCollector } from "../support/trace-collector.ts";

const events: MeshEvent[] = [];
let collector: TraceCollector;
let mesh: TestMesh;
let grpc: GrpcCaller;

beforeAll(async () => {
  collector = await TraceCollector.start();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, AIMASS_TRACE_SAMPLE: "0" };
  mesh = await TestMesh.start({ replicas: 1, env, onProgress: (event) => events.push(event) });
  await mesh.serve("traced", tinyModel(1), 1);
  grpc = new GrpcCaller(mesh.address());
}, 120_000);

afterAll(async () => {
  grpc?.[Symbol.dispose]();
  await mesh?.[Symbol.asyncDispose]();
  await collector?.[Symbol.asyncDispose]();
});

/** What a client that traces sends along. */
function clientTrace({ sampled = true } = {}) {
  const traceId = randomBytes(16).toString("hex");
  const spanId = randomBytes(8).toString("hex");
  const traceparent = `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
  return { traceId, spanId, headers: { traceparent, authorization: `Bearer ${mesh.apiKey}` } };
}

const request = toBinary(
  ModelInferRequestSchema,
  create(ModelInferRequestSchema, {
    modelName: "traced",
    inputs: [{ name: "x", datatype: "FP32", shape: [1n, 4n] }],
    rawInputContents: [new Uint8Array(16)],
  }),
);

type SpanName = readonly [service: string, name: string];

/** Waits until the trace has a span of that name, and gives it. */
function span(traceId: string, [service, name]: SpanName): Promise<CollectedSpan> {
  return waitFor(() => collector.of(traceId).find((s) => s.service === service && s.name === name), {
    timeoutMs: 60_000,
    what: `the span ${name} of ${service}`,
  });
}

describe("a trace", () => {
  it("of a gRPC call goes from the client through the router to the replica", async () => {
    const { traceId, spanId, headers } = clientTrace();
    expect(await grpc.call(inferPath, request, headers)).toMatchObject({ code: 0 });
    const routed = await span(traceId, ["router", "router.infer"]);
    const ran = await span(traceId, ["inference", "inference.infer"]);
    expect(routed.parentSpanId).toBe(spanId);
    expect(ran.parentSpanId).toBe(routed.spanId);
  });

  it.each([
    ["REST", "v2/models/traced/infer", "router.infer"],
    ["/predict", "models/traced/predict", "router.predict"],
  ])("of a call of %s too", async (_what, path, name) => {
    const { traceId, spanId, headers } = clientTrace();
    const inputs = path.startsWith("v2")
      ? [{ name: "x", datatype: "FP32", shape: [1, 4], data: [1, 2, 3, 4] }]
      : [[1, 2, 3, 4]];
    const answer = await http(`${mesh.mesh.url()}/${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify({ inputs }),
    });
    expect(answer.status).toBe(200);
    const routed = await span(traceId, ["router", name]);
    const ran = await span(traceId, ["inference", "inference.infer"]);
    expect(routed.parentSpanId).toBe(spanId);
    expect(ran.parentSpanId).toBe(routed.spanId);
  });

  it("of an alias move goes through router and registry, and with its event to the scheduler and the ledger", async () => {
    const { version } = await mesh.push("traced", tinyModel(2), { moveAlias: false });
    const { traceId, spanId, headers } = clientTrace();
    const move = { project: "default", model: "traced", alias: "default", version: String(version), reason: "trace" };
    const answer = await http(`${mesh.mesh.url()}/aimass.registry.v1.AliasService/MoveAlias`, {
      method: "POST",
      headers: {
        ...headers,
        authorization: (await mesh.admin.authorization()) ?? expect.fail(),
        "content-type": "application/json",
      },
      body: JSON.stringify(move),
    });
    expect(answer.status).toBe(200);
    const routed = await span(traceId, ["router", "router.registry"]);
    const moved = await span(traceId, ["registry", "aimass.registry.v1.AliasService/MoveAlias"]);
    expect(routed.parentSpanId).toBe(spanId);
    expect(moved.parentSpanId).toBe(routed.spanId);
    for (const consumer of ["scheduler", "auth"]) {
      expect((await span(traceId, [consumer, "events.handle"])).parentSpanId).toBe(moved.spanId);
    }
  });

  it("that the client did not sample is recorded nowhere, and the call served all the same", async () => {
    const { traceId, headers } = clientTrace({ sampled: false });
    expect(await grpc.call(inferPath, request, headers)).toMatchObject({ code: 0 });
    const later = clientTrace();
    await grpc.call(inferPath, request, later.headers);
    await span(later.traceId, ["inference", "inference.infer"]);
    expect(collector.of(traceId)).toEqual([]);
  });

  it("with a traceparent that is none begins anew", async () => {
    const headers = { ...clientTrace().headers, traceparent: "00-nonsense" };
    expect(await grpc.call(inferPath, request, headers)).toMatchObject({ code: 0 });
  });
});

function adminOf(name: string): string {
  const state = mesh.mesh.processes.get(name)?.state;
  return state?.kind === "ready" ? (state.addresses.admin ?? expect.fail(name)) : expect.fail(name);
}

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly scope?: string;
  readonly service: string;
  readonly admin?: string;
}

/** A process that had nothing to say has no file. */
function logOf(name: string): LogLine[] {
  const file = join(mesh.mesh.data.path, "logs", `${name}.log`);
  return (existsSync(file) ? readFileSync(file, "utf8") : "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as LogLine);
}

/** The samples of a metric: labels and value of each. */
async function samples(admin: string, metric: string): Promise<{ labels: Record<string, string>; value: number }[]> {
  const { text, headers } = await http(`http://${admin}/metrics`);
  expect(headers["content-type"]).toMatch(/^text\/plain/);
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
    .map((line) => {
      const labels = Object.fromEntries(
        [...line.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = "", value = ""]) => [name, value]),
      );
      return { labels, value: Number(line.slice(line.lastIndexOf(" ") + 1)) };
    });
}

describe("metrics", () => {
  const calls = 12;

  it("of router and replica have latency histograms per model and version", async () => {
    const replica = logOf("agent").find((line) => line.message === "the replica is up")?.admin ?? expect.fail();
    const router = adminOf("router");
    const counts = async () => {
      const of = async (admin: string, metric: string) =>
        (await samples(admin, metric)).filter((s) => s.labels.model === "default.traced" && s.labels.version !== "");
      return {
        routed: await of(router, "aimass_router_request_seconds_count"),
        ran: await of(replica, "aimass_inference_run_seconds_count"),
      };
    };
    const sum = (list: readonly { value: number }[]) => list.reduce((total, { value }) => total + value, 0);
    const before = await counts();
    const headers = { authorization: `Bearer ${mesh.apiKey}` };
    for (let i = 0; i < calls; i += 1) await grpc.call(inferPath, request, headers);
    const after = await counts();
    expect(sum(after.routed) - sum(before.routed)).toBe(calls);
    // One call at a time: nothing is batched.
    expect(sum(after.ran) - sum(before.ran)).toBe(calls);
    expect(new Set(after.routed.map((s) => s.labels.version))).toContain("1");
    for (const [admin, metric] of [
      [router, "aimass_router_request_seconds"],
      [replica, "aimass_inference_run_seconds"],
      [replica, "aimass_inference_queue_seconds"],
    ] as const) {
      const buckets = (await samples(admin, `${metric}_bucket`)).filter((s) => s.labels.model === "default.traced");
      expect(buckets.length).toBeGreaterThan(5);
      expect(buckets.map((s) => s.labels.le)).toContain("+Inf");
    }
  });

  it("get no series for names that clients make up", async () => {
    const headers = { authorization: `Bearer ${mesh.apiKey}` };
    for (const name of ["made-up-1", "made-up-2"]) {
      await http(`${mesh.mesh.url()}/v2/models/${name}/infer`, { method: "POST", headers, body: "{}" });
    }
    expect((await http(`http://${adminOf("router")}/metrics`)).text).not.toMatch(/made-up/);
  });

  it("are served by every process, beside its liveness and readiness", async () => {
    for (const name of mesh.mesh.processes.keys()) {
      const admin = adminOf(name);
      expect((await http(`http://${admin}/livez`)).status, name).toBe(200);
      expect((await http(`http://${admin}/readyz`)).status, name).toBe(200);
      const { text } = await http(`http://${admin}/metrics`);
      for (const line of text.split("\n")) {
        expect(line).toMatch(/^(?:$|# (?:HELP|TYPE|EOF)|[a-z_:][a-z0-9_:]*(?:\{.*\})? (?:[-+0-9.e]+|[-+]?Inf|NaN)$)/i);
      }
    }
  });
});

describe("logs", () => {
  it("of every process are JSON, a line each, with level, service and time, and hold no secret", () => {
    const all: LogLine[] = [];
    for (const name of mesh.mesh.processes.keys()) {
      const lines = logOf(name);
      all.push(...lines);
      for (const line of lines)
        expect(line).toMatchObject({
          level: expect.any(String),
          service: expect.any(String),
          time: expect.any(String),
        });
      const text = JSON.stringify(lines);
      expect(text).not.toContain(mesh.apiKey);
      expect(text).not.toContain(mesh.mesh.adminPassword() ?? expect.fail());
      expect(text).not.toMatch(/eyJ[A-Za-z0-9_-]{20,}\./);
      expect(text).not.toContain(new URL(mesh.mesh.postgres?.url ?? expect.fail()).password);
    }
    expect(all.length).toBeGreaterThan(0);
  });
});

describe("a service that comes back", () => {
  it("is said to be ready after the time that its restart took, not since the mesh was started", async () => {
    const seen = events.length;
    const killedAt = performance.now();
    mesh.mesh.processes.get("console")?.kill("SIGKILL");
    const isBack = (event: MeshEvent) => event.kind === "ready" && event.part === "console";
    const back = await waitFor(() => events.slice(seen).find(isBack), { timeoutMs: 60_000, what: "the console" });
    expect(back).toMatchObject({ kind: "ready", afterMs: expect.any(Number) });
    expect("afterMs" in back && back.afterMs).toBeLessThanOrEqual(performance.now() - killedAt);
  });
});
