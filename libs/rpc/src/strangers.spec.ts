import { once } from "node:events";
import { connect } from "node:net";
import { ModelService } from "@aimass/api/registry";
import { systemClock } from "@aimass/core";
import { generateMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { silentTelemetry } from "@aimass/telemetry";
import { afterEach, describe, expect, it } from "vitest";
import { closeServiceClients } from "./grpc-channels.ts";
import { type RpcServer, serveRpc } from "./rpc-server.ts";
import { createServiceClient } from "./service-client.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  closeServiceClients();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const mesh = generateMeshIdentity(["registry", "trainer"]);

function identity(role: string): ServiceIdentity {
  return new ServiceIdentity(mesh.identities.get(role) as never, mesh.trust, systemClock);
}

async function serve(): Promise<RpcServer> {
  const server = await serveRpc({
    name: "registry",
    listen: { host: "127.0.0.1", port: 0 },
    identity: identity("registry"),
    telemetry: silentTelemetry(),
    clock: systemClock,
    services: [ModelService],
    routes: (router) => router.service(ModelService, { getModel: ({ name }) => ({ model: { name } }) }),
  });
  cleanups.push(() => server.drain(0));
  return server;
}

describe("a service's port that somebody opens again and again to say nothing", () => {
  it("keeps a bounded number of connections, and those of its callers", async () => {
    const server = await serve();
    const client = createServiceClient(ModelService, { addresses: [server.address], identity: identity("trainer") });
    await client.getModel({ name: "a" });
    let closed = 0;
    const open = async () => {
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
    for (let batch = 0; batch < 4; batch++) await Promise.all(Array.from({ length: 250 }, open));
    await expect.poll(() => closed, { timeout: 5000 }).toBeGreaterThanOrEqual(480);
    expect((await client.getModel({ name: "b" })).model?.name).toBe("b");
  });
});
