import { createServer, get, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { ConfigError } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { serveAdmin } from "./admin-server.ts";
import { createTelemetry, silentTelemetry } from "./telemetry.ts";

async function startCollector() {
  const bodies: string[] = [];
  let arrived: () => void = () => {};
  const first = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      bodies.push(`${request.url} ${body}`);
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
      arrived();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    first,
    close: () => server.close(),
  };
}

describe("createTelemetry()", () => {
  it("sends a sampled span, with its parent and its failure, to an OTLP collector", async () => {
    const collector = await startCollector();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, AIMASS_TRACE_SAMPLE: "1", LOG: "silent" };
    const telemetry = createTelemetry({ service: "router", env });
    const parent = telemetry.tracer.start("call", { kind: "server" });
    const child = telemetry.tracer.start("pick", { parent: parent.traceparent, attributes: { model: "m" } });
    child.fail(new Error("no replica"));
    child.end();
    parent.end();
    await telemetry[Symbol.asyncDispose]();
    await collector.first;
    collector.close();
    const body = collector.bodies.join("\n");
    expect(body).toContain("/v1/traces");
    expect(body).toContain('"name":"pick"');
    expect(body).toContain("no replica");
    expect(body).toContain(`"parentSpanId":"${parent.traceparent.split("-")[2]}"`);
  });

  it("says what is wrong with LOG and with the sample share", () => {
    expect(() => createTelemetry({ service: "x", env: { LOG: "loud" } })).toThrow(ConfigError);
    expect(() => createTelemetry({ service: "x", env: { AIMASS_TRACE_SAMPLE: "2" } })).toThrow("from 0 to 1");
  });
});

describe("serveAdmin()", () => {
  it("serves metrics, says alive, and says why it is not ready", async () => {
    const telemetry = silentTelemetry();
    telemetry.metrics.counter("aimass_test_total", { help: "Things." }).add(2, { kind: 'a"b' });
    let state: boolean | string = "No policy has arrived yet.";
    const admin = await serveAdmin({ listen: { host: "127.0.0.1", port: 0 }, telemetry, ready: () => state });
    const url = `http://127.0.0.1:${admin.address.port}`;
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('aimass_test_total{kind="a\\"b"} 2');
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    const notReady = await fetch(`${url}/readyz`);
    expect([notReady.status, await notReady.text()]).toEqual([503, "No policy has arrived yet.\n"]);
    state = true;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect((await fetch(`${url}/other`)).status).toBe(404);
    const taken = serveAdmin({ listen: admin.address, telemetry, ready: () => true });
    await expect(taken).rejects.toThrow("EADDRINUSE");
    await admin.close();
  });
});

describe("the admin listener", () => {
  it("answers a scraper however many connections somebody opens and says nothing on", async () => {
    const telemetry = silentTelemetry();
    const admin = await serveAdmin({ listen: { host: "127.0.0.1", port: 0 }, telemetry, ready: () => true });
    let closed = 0;
    const sockets = Array.from({ length: 300 }, () => connect(admin.address.port, "127.0.0.1"));
    for (const socket of sockets) socket.on("error", () => {}).on("close", () => (closed += 1));
    await expect.poll(() => closed, { timeout: 5000 }).toBeGreaterThanOrEqual(44);
    const answer = await fetch(`http://127.0.0.1:${admin.address.port}/metrics`);
    expect(answer.status).toBe(200);
    for (const socket of sockets) socket.destroy();
    await admin.close();
  });

  const cases = [
    { host: "127.0.0.1:9000", status: 200 },
    { host: "[::1]:9000", status: 200 },
    { host: "10.1.2.3", status: 200 },
    { host: "localhost:9000", status: 200 },
    { host: "router-1:9000", status: 200 },
    { host: "metrics.example.com:9000", status: 200 },
    { host: "METRICS.example.com", status: 200 },
    { host: "evil.example:9000", status: 403 },
    { host: "127.0.0.1.evil.example", status: 403 },
    { host: "metrics.example.com.evil.example", status: 403 },
    { host: "evil.", status: 403 },
  ];

  it("answers a scraper by address and by its names, and no page whose name was pointed here", async () => {
    const env = { AIMASS_ADMIN_HOSTS: "metrics.example.com, other.example.com", LOG: "silent" };
    await using telemetry = createTelemetry({ service: "x", env });
    const admin = await serveAdmin({ listen: { host: "127.0.0.1", port: 0 }, telemetry, ready: () => true });
    for (const path of ["/metrics", "/livez", "/readyz", "/nothing"]) {
      for (const { host, status } of cases) {
        const expected = status === 200 && path === "/nothing" ? 404 : status;
        expect([path, host, await statusFor(admin.address.port, path, host)]).toEqual([path, host, expected]);
      }
    }
    await admin.close();
  });
});

function statusFor(port: number, path: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const answered = (answer: IncomingMessage) => {
      answer.resume();
      resolve(answer.statusCode);
    };
    get({ host: "127.0.0.1", port, path, headers: { host } }, answered).on("error", reject);
  });
}
