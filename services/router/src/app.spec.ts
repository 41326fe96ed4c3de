import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Address, freePort, parseAddress, systemClock } from "@aimass/core";
import { TransportError, Upstream } from "@aimass/h2";
import { createMeshIdentity, PolicyStore, ServiceIdentity } from "@aimass/identity";
import { afterEach, describe, expect, it } from "vitest";
import { RouteTable } from "./routes/route-table.ts";
import {
  infer,
  inferBody,
  inferGrant,
  modelEntry,
  replicaEntry,
  routeUpdate,
  signedPolicy,
} from "./testing/router-fixture.ts";
import { startReplica } from "./testing/tiny-replica.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface RouterProcess {
  readonly child: ChildProcess;
  readonly address: Address;
  readonly admin: string;
  readonly client: Upstream;
}

/** A folder with keys, a saved policy and saved routes to one replica; no other service exists. */
async function deadControlPlane() {
  const folder = await mkdtemp(join(tmpdir(), "router-"));
  cleanups.push(() => rm(folder, { recursive: true }));
  await createMeshIdentity(folder, ["auth", "router"]);
  const load = (role: string) =>
    ServiceIdentity.load(join(folder, `${role}.identity.json`), join(folder, "trust.json"), systemClock);
  const policy = new PolicyStore({ identity: await load("router"), clock: systemClock });
  policy.apply(signedPolicy(await load("auth"), [inferGrant("anonymous", "*")], 1n));
  await policy.save(join(folder, "policy.bin"));
  const replica = await startReplica("a");
  cleanups.push(() => replica.kill());
  const table = new RouteTable(systemClock);
  table.apply(routeUpdate([replicaEntry("a", replica.address), modelEntry("m", { 1: ["a"] })], 1n));
  await table.save(join(folder, "routes.bin"));
  return { folder, replica };
}

async function startProcess(folder: string, env: Record<string, string> = {}): Promise<RouterProcess> {
  const child = spawn(process.execPath, [fileURLToPath(new URL("./main.ts", import.meta.url))], {
    stdio: ["ignore", "inherit", "pipe", "ipc"],
    env: {
      PATH: process.env.PATH,
      AIMASS_LISTEN: "127.0.0.1:0,127.0.0.1:0",
      AIMASS_IDENTITY_FILE: join(folder, "router.identity.json"),
      AIMASS_TRUST_FILE: join(folder, "trust.json"),
      AIMASS_STATE_DIR: folder,
      AIMASS_AUTH_ADDRESSES: "127.0.0.1:1",
      AIMASS_SCHEDULER_ADDRESSES: "127.0.0.1:1",
      LOG: "error",
      ...env,
    },
  });
  cleanups.push(() => child.kill("SIGKILL"));
  const [message] = (await once(child, "message")) as [{ ready: { rpc: string; admin: string; doors: string } }];
  expect(message.ready.doors.split(",")).toHaveLength(2);
  const address = parseAddress(message.ready.rpc) as Address;
  const client = new Upstream({ address, clock: systemClock });
  cleanups.push(() => client.close());
  while (client.state !== "ready") await systemClock.sleep(2);
  return { child, address, admin: message.ready.admin, client };
}

describe("a router process", () => {
  it("serves after a restart with every other service dead, and shows how old what it knows is", async () => {
    const { folder } = await deadControlPlane();
    const router = await startProcess(folder);
    // The first call too: what it had saved is read before it listens.
    expect((await infer(router.client, inferBody("m"))).status).toBe(0);
    const ready = await fetch(`http://${router.admin}/readyz`);
    expect(ready.status).toBe(200);
    const metrics = await (await fetch(`http://${router.admin}/metrics`)).text();
    expect(metrics).toMatch(/aimass_router_requests_total\{code="OK",model="default.m",version="1"\} \d+/);
    expect(metrics).toContain("aimass_router_route_age_seconds");
    expect(metrics).toContain("aimass_policy_age_seconds");
  });

  it("has Triton's metrics endpoint on a port of its own, when asked for one", async () => {
    const { folder } = await deadControlPlane();
    const port = await freePort();
    const router = await startProcess(folder, { AIMASS_TRITON_METRICS_LISTEN: `127.0.0.1:${port}` });
    expect((await infer(router.client, inferBody("m"))).status).toBe(0);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/^nv_inference_count\{model="m",version="1"\} \d+$/m);
    expect(metrics).not.toContain("aimass_router");
  });

  it("loses no request when it is told to stop under load, and ends", async () => {
    const { folder } = await deadControlPlane();
    const routers = await Promise.all([startProcess(folder), startProcess(folder)]);
    const clients = routers.map((router) => router.client);
    await Promise.all(clients.map((c) => expect.poll(async () => (await infer(c, inferBody("m"))).status).toBe(0)));
    const failures: unknown[] = [];
    let answered = 0;
    let isStopping = false;
    const lane = async (n: number) => {
      for (let i = n; !isStopping; i++) {
        try {
          const { status } = await infer(clients[i % 2] as Upstream, inferBody("m"));
          if (status === 0) answered += 1;
          else failures.push(status);
        } catch (error) {
          // Provably not begun: a client goes to the other address.
          if (!(error instanceof TransportError) || error.started) failures.push(error);
        }
      }
    };
    const lanes = Promise.all(Array.from({ length: 8 }, (_, n) => lane(n)));
    await expect.poll(() => answered, { timeout: 60_000 }).toBeGreaterThan(50);
    const first = routers[0];
    first.child.kill("SIGTERM");
    const [code] = await once(first.child, "exit");
    const before = answered;
    await expect.poll(() => answered, { timeout: 60_000 }).toBeGreaterThan(before + 50);
    isStopping = true;
    await lanes;
    expect(code).toBe(0);
    expect(failures).toEqual([]);
  });

  it("says what is wrong with its configuration, all at once", async () => {
    const child = spawn(process.execPath, [fileURLToPath(new URL("./main.ts", import.meta.url))], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { PATH: process.env.PATH, AIMASS_MAX_IN_FLIGHT: "many" },
    });
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
    });
    const [code] = await once(child, "exit");
    expect(code).toBe(64);
    for (const name of ["AIMASS_IDENTITY_FILE", "AIMASS_SCHEDULER_ADDRESSES", "AIMASS_MAX_IN_FLIGHT"])
      expect(said).toContain(name);
  });
});
