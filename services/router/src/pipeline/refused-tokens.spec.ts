import { SessionService } from "@aimass/api/auth";
import { AimassError, systemClock } from "@aimass/core";
import { type RpcServer, serveRpc } from "@aimass/rpc";
import { silentTelemetry } from "@aimass/telemetry";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, it } from "vitest";
import {
  infer,
  inferBody,
  modelEntry,
  replicaEntry,
  startTestRouter,
  type TestRouter,
  testIdentities,
} from "../testing/router-fixture.ts";
import { type Behaviour, echo, startReplica } from "../testing/tiny-replica.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** As a replica refuses a router whose clock is ahead. */
const refuseToken: Behaviour = (call) => {
  const message = "The token is not valid yet. Compare the clocks of the machines.";
  if (call.headers["content-type"] !== "application/grpc") {
    call.respond({ status: 401, headers: {}, body: Buffer.from(JSON.stringify({ error: message })) });
    return;
  }
  const headers = { "content-type": "application/grpc", "grpc-status": "16", "grpc-message": message };
  call.respond({ status: 200, headers });
};

async function mesh(env: Record<string, string>) {
  const [r, a, b] = await Promise.all([startTestRouter(env), startReplica("a"), startReplica("b")]);
  cleanups.push(
    () => r[Symbol.asyncDispose](),
    () => a.kill(),
    () => b.kill(),
  );
  r.route([replicaEntry("a", a.address), replicaEntry("b", b.address), modelEntry("m", { 1: ["a", "b"] })]);
  await expect.poll(() => [...r.plane.pool.replicas.values()].every((x) => x.isUsable)).toBe(true);
  return { r, a, b };
}

describe("a replica that refuses the router's own token", () => {
  it("costs the client nothing while another takes it, or the same one a moment later", async () => {
    const { r, a, b } = await mesh({});
    a.behaviour = refuseToken;
    for (let i = 0; i < 20; i++) expect((await infer(r.client, inferBody("m"))).status).toBe(0);
    b.behaviour = refuseToken;
    setTimeout(() => {
      b.behaviour = echo("b");
    }, 100);
    expect((await infer(r.client, inferBody("m"))).status).toBe(0);
  });

  it("is told to the client as unavailable, without the words that were meant for the router", async () => {
    const { r, a, b } = await mesh({ AIMASS_HOLD_MS: "100" });
    a.behaviour = refuseToken;
    b.behaviour = refuseToken;
    const answer = await infer(r.client, inferBody("m"));
    expect(answer.status).toBe(14);
    expect(answer.message).not.toMatch(/token|clock/);
    const rest = await fetch(`${r.url}/v2/models/m/infer`, { method: "POST", body: "{}" });
    expect(rest.status).toBe(503);
    expect(await rest.text()).not.toMatch(/token|clock/);
  });
});

describe("a service that refuses the router's own token", () => {
  const transports: [string, (baseUrl: string) => Transport][] = [
    ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
    ["gRPC-Web", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
    ["Connect", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
    ["Connect in binary", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: true })],
  ];

  /** A router before an auth service whose clock is `off` milliseconds from its own. */
  async function behind(clock: { off: number }): Promise<TestRouter> {
    const identities = testIdentities({ ...systemClock, now: () => Date.now() + clock.off });
    const service: RpcServer = await serveRpc({
      name: "auth",
      listen: { host: "127.0.0.1", port: 0 },
      identity: identities.auth,
      telemetry: silentTelemetry(),
      clock: systemClock,
      services: [SessionService],
      routes: (routes) =>
        routes.service(SessionService, {
          whoAmI: () => ({ principal: "user:ada" }),
          signIn: () => {
            throw new AimassError("UNAUTHENTICATED", "The user name or the password is wrong.");
          },
        }),
    });
    const r = await startTestRouter({ AIMASS_AUTH_ADDRESSES: `127.0.0.1:${service.address.port}` }, identities);
    cleanups.push(
      () => r[Symbol.asyncDispose](),
      () => service.drain(0),
    );
    return r;
  }

  it.each(transports)("is no refusal of the client, by %s, and over when its clock is right", async (_, transport) => {
    const clock = { off: -7_200_000 };
    const r = await behind(clock);
    const client = createClient(SessionService, transport(r.url));
    const refused = await client.whoAmI({}).catch(ConnectError.from);
    expect(refused).toMatchObject({ code: Code.Unavailable, rawMessage: expect.not.stringMatching(/token|clock/) });
    clock.off = 0;
    expect((await client.whoAmI({})).principal).toBe("user:ada");
  });

  it.each(transports)("is told apart from a password that is wrong, by %s", async (_, transport) => {
    const r = await behind({ off: 0 });
    const client = createClient(SessionService, transport(r.url));
    expect(await client.signIn({}).catch(ConnectError.from)).toMatchObject({ code: Code.Unauthenticated });
  });
});
