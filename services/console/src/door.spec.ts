import { SessionService } from "@aimass/api/auth";
import { systemClock } from "@aimass/core";
import { listen, Upstream } from "@aimass/h2";
import { generateMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { closeServiceClients, createServiceClient, serveRpc } from "@aimass/rpc";
import { silentTelemetry } from "@aimass/telemetry";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, describe, expect, it } from "vitest";
import { createDoor } from "./door.ts";
import { createConsoleMetrics } from "./metrics.ts";
import { BrowserSessions } from "./sessions/browser-sessions.ts";

let resources = new AsyncDisposableStack();
afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

const { identities, trust } = generateMeshIdentity(["auth", "console", "router"]);
const identityOf = (role: string) => new ServiceIdentity(identities.get(role) as never, trust, systemClock);
const anywhere = { host: "127.0.0.1", port: 0 };
const telemetry = silentTelemetry();

const later = timestampFromMs(Date.now() + 3_600_000);
const tokens = { accessToken: "access", refreshToken: "refresh", accessExpiresAt: later, refreshExpiresAt: later };

/** A console in front of an auth service that lets everybody in. `ask` calls it as a router does. */
async function startConsole(secureCookies: boolean) {
  const auth = await serveRpc({
    name: "auth",
    listen: anywhere,
    identity: identityOf("auth"),
    telemetry,
    clock: systemClock,
    services: [SessionService],
    routes: (routes) =>
      routes.service(SessionService, {
        signIn: () => ({ tokens }),
        refreshSession: () => ({ tokens }),
        signOut: () => ({}),
      }),
  });
  resources.defer(() => auth.drain(0));
  const identity = identityOf("console");
  const client = createServiceClient(SessionService, { addresses: [auth.address], identity, telemetry });
  resources.defer(() => closeServiceClients());
  const door = createDoor({
    identity,
    assets: new Map(),
    sessions: new BrowserSessions(client, { secureCookies }),
    metrics: createConsoleMetrics(telemetry.metrics),
    log: telemetry.log.scope("console.door"),
  });
  const listener = await listen({ listen: anywhere, handler: door });
  resources.defer(() => listener.drain(0));
  const upstream = new Upstream({ address: listener.address, clock: systemClock });
  resources.defer(() => upstream.close());
  await expect.poll(() => upstream.state).toBe("ready");
  const token = identityOf("router").token();
  return async (method: string, headers: Record<string, string>) => {
    const { status, headers: answered } = await upstream.unary({
      method,
      path: "/console/session",
      headers: { "aimass-service": token, cookie: "aimass_session=refresh", ...headers },
      body: Buffer.from(method === "POST" ? JSON.stringify({ username: "ada", password: "secret" }) : ""),
    });
    return { status, cookie: answered["set-cookie"] ?? "" };
  };
}

describe("the cookie of a browser's session", () => {
  it.each(["POST", "PUT", "DELETE"])("never goes over clear text when the browser came by TLS (%s)", async (method) => {
    const ask = await startConsole(false);
    const byTls = await ask(method, { "x-forwarded-proto": "https" });
    expect(byTls.status).toBe(200);
    expect(byTls.cookie).toMatch(/^aimass_session=.*; HttpOnly; SameSite=Strict; Secure$/);
    const inClear = await ask(method, { "x-forwarded-proto": "http" });
    expect(inClear.cookie).toMatch(/^aimass_session=.*; HttpOnly; SameSite=Strict$/);
  });

  it("never does where an operator says that browsers use https", async () => {
    const ask = await startConsole(true);
    expect((await ask("POST", { "x-forwarded-proto": "http" })).cookie).toMatch(/; Secure$/);
  });

  it("is not given to whoever is no router", async () => {
    const ask = await startConsole(false);
    const answer = await ask("POST", { "aimass-service": identityOf("console").token() });
    expect(answer).toEqual({ status: 401, cookie: "" });
  });
});
