import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RouteService } from "@aimass/api/scheduler";
import { PushStream, systemClock } from "@aimass/core";
import { closeServiceClients, serveRpc } from "@aimass/rpc";
import { silentTelemetry } from "@aimass/telemetry";
import { expect, it } from "vitest";
import { modelEntry, replicaEntry, routeUpdate, testIdentities } from "../testing/router-fixture.ts";
import { followRoutes } from "./follow-routes.ts";
import { RouteTable } from "./route-table.ts";

it("keeps the last routes that came before a router ends, however shortly before", async () => {
  const directory = await mkdtemp(join(tmpdir(), "routes-"));
  const stateFile = join(directory, "routes.bin");
  const { auth, identity } = testIdentities();
  const updates = new PushStream<ReturnType<typeof routeUpdate>>();
  const scheduler = await serveRpc({
    name: "scheduler",
    listen: { host: "127.0.0.1", port: 0 },
    identity: auth,
    telemetry: silentTelemetry(),
    clock: systemClock,
    services: [RouteService],
    routes: (router) =>
      router.service(RouteService, {
        async *watchRoutes() {
          for await (const update of updates) yield { update };
        },
      }),
  });
  const ending = new AbortController();
  const table = new RouteTable(systemClock);
  const following = followRoutes({
    addresses: [scheduler.address],
    identity,
    table,
    stateFile,
    clock: systemClock,
    telemetry: silentTelemetry(),
    signal: ending.signal,
  });
  try {
    for (const version of [1n, 2n, 3n]) {
      updates.push(
        routeUpdate([replicaEntry("a", "127.0.0.1:1"), modelEntry("m", { [String(version)]: ["a"] })], version),
      );
      await expect.poll(() => table.version, { timeout: 5000 }).toBe(version);
    }
    ending.abort();
    await following;
    const saved = new RouteTable(systemClock);
    expect(await saved.load(stateFile)).toBe(true);
    expect(saved.version).toBe(3n);
  } finally {
    ending.abort();
    closeServiceClients();
    await scheduler.drain(0);
    await rm(directory, { recursive: true });
  }
});
