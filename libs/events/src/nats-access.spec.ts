import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@aimass/core";
import { generateMeshIdentity, type IdentityDocument, ServiceIdentity } from "@aimass/identity";
import { openStore } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import { createTestDatabase, describeWith, tempDirectory, waitFor } from "@aimass/testkit";
import { connect } from "nats";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openEventBus } from "./event-bus.ts";
import { makeNatsPasswords, natsRoles, natsServerConfig, natsUrl } from "./nats-access.ts";

describeWith("ci", { needs: "nats-server" }, "a NATS server with the users of the mesh", () => {
  const port = 20_000 + (process.pid % 20_000);
  const passwords = makeNatsPasswords();
  const { identities, trust } = generateMeshIdentity(natsRoles);
  const resources = new AsyncDisposableStack();
  const urlOf = (role: string) => natsUrl(role, passwords, "127.0.0.1").replace("4222", String(port));
  const refusalOf = (error: unknown) => (error as Error).message;

  beforeAll(async () => {
    const { path } = resources.use(await tempDirectory());
    const config = join(path, "nats.conf");
    writeFileSync(config, natsServerConfig(passwords, path));
    const server = spawn("nats-server", ["-c", config, "-a", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
    resources.defer(async () => {
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill();
      await ended;
    });
    await waitFor(async () => {
      const connection = await connect({
        servers: `127.0.0.1:${port}`,
        user: "auth",
        pass: passwords.get("auth") ?? "",
      });
      await connection.close();
      return true;
    });
  });
  afterAll(() => resources.disposeAsync());

  const openBus = async (role: string) => {
    const { url: databaseUrl } = resources.use(await createTestDatabase());
    const store = resources.use(await openStore<unknown>({ url: databaseUrl, schema: role, migrations: [] }));
    const identity = new ServiceIdentity(identities.get(role) as IdentityDocument, trust, systemClock);
    const facts = { clock: systemClock, telemetry: silentTelemetry(), databaseUrl };
    return { store, bus: resources.use(await openEventBus({ identity, store, natsUrl: urlOf(role), ...facts })) };
  };

  it("lets every service publish its events and hear those of the others", async () => {
    const buses = await Promise.all(natsRoles.map(openBus));
    const heard = new Map<string, Set<string>>();
    const consumers = { auth: "audit-ledger", trainer: "trainer-retraining", scheduler: "scheduler" };
    for (const [role, consumer] of Object.entries(consumers)) {
      const sources = new Set<string>();
      heard.set(role, sources);
      const { bus } = buses[natsRoles.indexOf(role)] as (typeof buses)[number];
      const { signal } = new AbortController();
      await bus.subscribe({ consumer, signal, handle: async ({ source }) => void sources.add(source) });
    }
    for (const { bus, store } of buses) {
      await store.withTransaction((tx) => bus.publishFrom(tx, { payload: { case: "modelChanged", value: {} } }));
    }
    await waitFor(() => [...heard.values()].every((sources) => sources.size === natsRoles.length), {
      timeoutMs: 60_000,
    });
  });

  it("refuses a stranger, and a service that speaks for another, takes its consumer or deletes the stream", async () => {
    const servers = `127.0.0.1:${port}`;
    await expect(connect({ servers, maxReconnectAttempts: 0 })).rejects.toThrow(/authorization/i);
    const connection = await connect({
      ...{ servers, user: "trainer", pass: passwords.get("trainer") ?? "", inboxPrefix: "_INBOX.trainer" },
    });
    const stream = connection.jetstream({ timeout: 2000 });
    const { seq } = await stream.publish("aimass.trainer.job_changed", "x");
    expect(seq).toBeGreaterThan(0);
    await expect(stream.publish("aimass.registry.model_changed", "x").catch(refusalOf)).resolves.toMatch(
      /permissions/i,
    );
    for (const subject of ["STREAM.DELETE.AIMASS_EVENTS", "CONSUMER.MSG.NEXT.AIMASS_EVENTS.audit-ledger"]) {
      const asked = connection.request(`$JS.API.${subject}`, "", { timeout: 1000 });
      await expect(asked.catch(refusalOf)).resolves.toMatch(/permissions/i);
    }
    await connection.close();
  });
});
