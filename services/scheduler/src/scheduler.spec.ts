import { chmod } from "node:fs/promises";
import { Change, EventSchema, SignedEventSchema } from "@aimass/api/events";
import { type ReplicaExit, ReplicaExitSchema, ReplicaService, RolloutPhase, RouteService } from "@aimass/api/scheduler";
import { PushStream, systemClock } from "@aimass/core";
import { createDatabase, startEmbeddedPostgres } from "@aimass/embedded";
import { openEventBus } from "@aimass/events";
import { createServiceClient } from "@aimass/rpc";
import { openStore } from "@aimass/store";
import { silentTelemetry } from "@aimass/telemetry";
import { createTestDatabase, tempDirectory, waitFor } from "@aimass/testkit";
import { create, fromBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MeshFixture } from "./testing/mesh-fixture.ts";
import { TestAgent } from "./testing/test-agent.ts";
import { TestReplica, type TestReplicaOptions } from "./testing/test-replica.ts";
import { TestRouter } from "./testing/test-router.ts";

const fraud = "default.fraud";
type Scheduler = Awaited<ReturnType<MeshFixture["scheduler"]>>;

/** A mesh with a directory, and unless it is given one a database, of its own. */
async function startMesh(databaseUrl?: string): Promise<MeshFixture> {
  const directory = await tempDirectory();
  const database = databaseUrl === undefined ? await createTestDatabase() : undefined;
  const mesh = await MeshFixture.start({ databaseUrl: databaseUrl ?? database?.url ?? "", directory: directory.path });
  mesh.keep(directory);
  if (database !== undefined) mesh.keep(database);
  return mesh;
}

describe("the scheduler over real RPC and a real database", () => {
  let mesh: MeshFixture;
  let scheduler: Scheduler;
  let ends: (() => Promise<unknown>)[];

  beforeEach(async () => {
    mesh = await startMesh();
    mesh.publish(fraud, { default: 1 }, [1, 2, 3]);
    scheduler = await mesh.scheduler();
    ends = [];
  });

  afterEach(async () => {
    for (const end of ends.reverse()) await end();
    await scheduler.stop(500);
    await mesh[Symbol.asyncDispose]();
  });

  async function replica(id: string, options?: TestReplicaOptions, to = [scheduler.rpc]) {
    const started = new TestReplica(id, options).start(to, await mesh.identity("inference"));
    ends.push(() => started.stop());
    return started;
  }

  async function agent(node: string) {
    const started = new TestAgent(node).start([scheduler.rpc], await mesh.identity("inference"));
    ends.push(() => started.stop());
    return started;
  }

  async function router(to = [scheduler.rpc]) {
    const started = new TestRouter().start(to, await mesh.identity("router"));
    ends.push(() => started.stop());
    return started;
  }

  async function deploy(spec: { model?: string; replicas?: number; versions?: bigint[]; sharing?: number } = {}) {
    const { deployments } = await mesh.clients([scheduler.rpc]);
    const put = () => deployments.putDeployment({ spec: { model: "fraud", ...spec } });
    // Access rules and replicas arrive within moments of the start.
    return await waitFor(() => put().catch((error) => Promise.reject(error)), { what: "the deployment" });
  }

  it("brings a deployed model onto its replicas and into the routes", async () => {
    const [a, b, r] = [await replica("n/cpu-0"), await replica("n/cpu-1"), await router()];
    await waitFor(() => r.state.size === 2);
    await deploy({ replicas: 2 });
    await waitFor(() => r.model(fraud).aliases.default === 1);
    expect(r.model(fraud).versions).toEqual({ 1: ["n/cpu-0", "n/cpu-1"] });
    expect([a.holds("fraud"), b.holds("fraud")]).toEqual([[1], [1]]);
    const { deployments } = await mesh.clients([scheduler.rpc]);
    const { deployment } = await deployments.getDeployment({ model: "fraud" });
    expect(deployment?.status).toMatchObject({ settled: true, summary: "fraud v1 serves on 2 of 2 replicas." });
    expect(r.badDigests).toBe(0);
  });

  it("shifts an alias when the new version is ready everywhere, and back to the warm one at once", async () => {
    const [a, r] = [await replica("n/cpu-0"), await router()];
    await deploy();
    await waitFor(() => r.model(fraud).aliases.default === 1 && r.model(fraud).versions[1]?.length === 1);
    mesh.publish(fraud, { default: 2 }, [1, 2, 3]);
    await waitFor(() => r.model(fraud).aliases.default === 2);
    expect(a.holds("fraud").sort()).toEqual([1, 2]);
    const loads = a.assigned.length;
    mesh.publish(fraud, { default: 1 }, [1, 2, 3]);
    await waitFor(() => r.model(fraud).aliases.default === 1);
    expect(a.assigned.length).toBe(loads);
    expect(r.badDigests).toBe(0);
  });

  it("keeps the old version when the new one does not load, and tells the ledger", async () => {
    const [a, r] = [await replica("n/cpu-0"), await router()];
    a.broken.add(2);
    await deploy();
    await waitFor(() => r.model(fraud).aliases.default === 1);
    mesh.publish(fraud, { default: 2 }, [1, 2, 3]);
    const { deployments } = await mesh.clients([scheduler.rpc]);
    const status = await waitFor(async () => {
      const { deployment } = await deployments.getDeployment({ model: "fraud" });
      return deployment?.status?.versions.some((v) => v.phase === RolloutPhase.FAILED) && deployment.status;
    });
    expect(status.summary).toBe(
      "fraud v1 serves on 1 of 1 replicas; v2 failed: it failed to load on n/cpu-0: no such operator.",
    );
    expect(r.model(fraud)).toMatchObject({ aliases: { default: 1 }, versions: { 1: ["n/cpu-0"], 2: [] } });
    const told = (await readEvents(mesh.databaseUrl)).filter((event) => event.payload.case === "rolloutChanged");
    expect(told.map((event) => (event.payload.value as { phase: string }).phase)).toEqual(["SERVING", "FAILED"]);
  });

  it("moves the versions of a replica that dies, and gives them back when it returns", async () => {
    const a = await replica("n/cpu-0");
    const [b, r] = [await replica("n/cpu-1"), await router()];
    await waitFor(() => r.state.size === 2);
    await deploy();
    const [home] = (await waitFor(() => r.model(fraud).versions[1]?.length && r.model(fraud).versions[1])) as string[];
    const [dying, other] = home === "n/cpu-0" ? [a, b] : [b, a];
    await dying.stop();
    await waitFor(() => r.model(fraud).versions[1]?.[0] === other.id);
    expect(r.state.has(`replica/${dying.id}`)).toBe(false);
    const returned = await replica(dying.id, { incarnation: "2" });
    await waitFor(() => returned.holds("fraud").length === 1 && r.model(fraud).versions[1]?.[0] === dying.id);
    await waitFor(() => other.holds("fraud").length === 0);
    expect(r.badDigests).toBe(0);
  });

  it("empties no replica that is too busy to report while its stream stands, and gives it up in the end", async () => {
    const a = await replica("n/cpu-0");
    const [b, r] = [await replica("n/cpu-1"), await router()];
    await waitFor(() => r.state.size === 2);
    await deploy();
    const [home] = (await waitFor(() => r.model(fraud).versions[1]?.length && r.model(fraud).versions[1])) as string[];
    const [busy, other] = home === "n/cpu-0" ? [a, b] : [b, a];
    busy.isMute = true;
    await systemClock.sleep(4000);
    expect(r.model(fraud).versions[1]).toEqual([busy.id]);
    expect(other.holds("fraud")).toEqual([]);
    await waitFor(() => r.model(fraud).versions[1]?.[0] === other.id, { timeoutMs: 60_000 });
  });

  it("drains a replica on demand without taking the version out of the routes", async () => {
    const [a, b, r] = [await replica("n/cpu-0"), await replica("n/cpu-1"), await router()];
    await waitFor(() => r.state.size === 2);
    await deploy();
    const [home] = (await waitFor(() => r.model(fraud).versions[1]?.length && r.model(fraud).versions[1])) as string[];
    const { fleet } = await mesh.clients([scheduler.rpc]);
    const { replica: drained } = await fleet.drainReplica({ replicaId: home as string, draining: true });
    expect(drained).toMatchObject({ id: home, draining: true, live: true });
    const other = home === a.id ? b.id : a.id;
    await waitFor(() => {
      expect(r.model(fraud).versions[1]?.length).toBe(1);
      return r.model(fraud).versions[1]?.[0] === other;
    });
    await expect(fleet.drainReplica({ replicaId: "nobody", draining: true })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("drains a machine with the replicas that it gets later, over restarts of its agent, until it is taken back", async () => {
    const before = await agent("n");
    await replica("n/cpu-0");
    const { fleet } = await mesh.clients([scheduler.rpc]);
    const drain = (draining: boolean, name = "n") => fleet.drainNode({ node: name, draining });
    await waitFor(async () => (await fleet.listNodes({})).nodes[0]?.replicas.length === 1);
    await expect(drain(true, "nobody")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await drain(true)).replicas).toMatchObject([{ id: "n/cpu-0", draining: true }]);
    await replica("n/cpu-1");
    await replica("m/cpu-0");
    const isDraining = async () => {
      const { nodes, standaloneReplicas } = await fleet.listNodes({});
      const replicas = [...nodes.flatMap((each) => each.replicas), ...standaloneReplicas];
      return [nodes.map((each) => each.draining), replicas.map(({ id, draining }) => `${id} ${draining}`)];
    };
    await expect.poll(isDraining).toEqual([[true], ["n/cpu-0 true", "n/cpu-1 true", "m/cpu-0 false"]]);
    const r = await router();
    await deploy({ replicas: 2 });
    await waitFor(() => r.model(fraud).versions[1]?.length === 1);
    expect(r.model(fraud).versions[1]).toEqual(["m/cpu-0"]);
    // Of a machine of which one is taken back the others stay drained by themselves.
    await fleet.drainReplica({ replicaId: "n/cpu-1", draining: false });
    expect(await isDraining()).toEqual([[false], ["n/cpu-0 true", "n/cpu-1 false", "m/cpu-0 false"]]);
    await drain(true);
    await before.stop();
    await agent("n");
    expect((await isDraining())[0]).toEqual([true]);
    expect((await drain(false)).replicas.map(({ draining }) => draining)).toEqual([false, false]);
    await waitFor(() => r.model(fraud).versions[1]?.length === 2);
  });

  it("is paused and resumed, and tells who changed what and which version served when", async () => {
    const [r] = [await router(), await replica("n/cpu-0")];
    await deploy();
    await waitFor(() => r.model(fraud).aliases.default === 1);
    const { deployments } = await mesh.clients([scheduler.rpc]);
    await deployments.putDeployment({ spec: { model: "fraud", paused: true } });
    mesh.publish(fraud, { default: 2 }, [1, 2, 3]);
    await waitFor(async () => {
      const { deployment } = await deployments.getDeployment({ model: "fraud" });
      return deployment?.status?.summary.includes("stays at v1, and points at v2") === true;
    });
    expect(r.model(fraud).aliases.default).toBe(1);
    await deployments.putDeployment({ spec: { model: "fraud" } });
    await waitFor(() => r.model(fraud).aliases.default === 2);
    const judged = await deployments.deleteDeployment({ model: "fraud", validateOnly: true });
    expect(judged.deployment?.spec?.model).toBe("fraud");
    await deployments.getDeployment({ model: "fraud" });
    expect((await deployments.deleteDeployment({ model: "fraud" })).deployment?.spec?.model).toBe("fraud");
    expect(await deployments.deleteDeployment({ model: "fraud" })).not.toHaveProperty("deployment");

    const first = await deployments.listDeploymentHistory({ model: "fraud", page: { size: 4 } });
    const token = first.page?.nextToken ?? "";
    const rest = await deployments.listDeploymentHistory({ model: "fraud", page: { token } });
    const entries = [...first.entries, ...rest.entries];
    expect(entries.map(({ actor, entry }) => [actor, entry.case])).toEqual([
      ["user:admin", "specChange"],
      ["service:scheduler", "rolloutStep"],
      ["user:admin", "specChange"],
      ["user:admin", "specChange"],
      ["service:scheduler", "rolloutStep"],
      ["user:admin", "specChange"],
    ]);
    expect(entries.map(({ entry }) => entry.value)).toMatchObject([
      { $typeName: "aimass.scheduler.v1.SpecChange" },
      { alias: "default", version: 2n, phase: RolloutPhase.SERVING, reason: "it served version 1 before" },
      { spec: { paused: false } },
      { spec: { paused: true } },
      { alias: "default", version: 1n, phase: RolloutPhase.SERVING },
      { spec: { model: "fraud", replicas: 1 } },
    ]);
    expect(entries[0]?.entry.value).not.toHaveProperty("spec");
    await expect(deployments.listDeploymentHistory({ model: "other", page: { token } })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(deployments.listDeploymentHistory({ model: "other" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    const ada = (await mesh.clients([scheduler.rpc], "user:ada")).deployments;
    await expect(ada.listDeploymentHistory({ model: "fraud" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("lists machines, replicas without an agent and quarantine page by page, with tokens that are good for one list", async () => {
    const { fleet } = await mesh.clients([scheduler.rpc]);
    const g = await agent("n2");
    await agent("n1");
    await replica("lone/cpu-0");
    await waitFor(async () => {
      const { nodes, standaloneReplicas } = await fleet.listNodes({});
      return nodes.length === 2 && standaloneReplicas.length === 1;
    });
    const names: string[] = [];
    const tokens: string[] = [""];
    for (let token: string | undefined = ""; token !== undefined; ) {
      const page = await fleet.listNodes({ page: { size: 1, token } });
      names.push(...page.nodes.map(({ name }) => name), ...page.standaloneReplicas.map(({ id }) => id));
      token = page.page?.nextToken || undefined;
      if (token !== undefined) tokens.push(token);
    }
    expect(names).toEqual(["n1", "n2", "lone/cpu-0"]);
    for (const version of [2n, 10n]) {
      const running = [{ project: "default", model: "fraud", version }];
      for (const incarnation of ["1", "2"])
        g.tell([
          create(ReplicaExitSchema, { replicaId: "n2/cpu-0", incarnation, running, at: timestampFromMs(Date.now()) }),
        ]);
    }
    await waitFor(async () => (await fleet.listQuarantine({})).quarantined.length === 2);
    const first = await fleet.listQuarantine({ page: { size: 1 } });
    const token = first.page?.nextToken ?? "";
    const rest = await fleet.listQuarantine({ page: { size: 2000, token } });
    expect([...first.quarantined, ...rest.quarantined].map(({ version }) => version)).toEqual([2n, 10n]);
    expect(rest.page?.nextToken).toBe("");
    await expect(fleet.listNodes({ page: { token } })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(fleet.listQuarantine({ page: { token: tokens[1] ?? "" } })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("quarantines a version that was running in two crashes, until it is released", async () => {
    const [a, r, g] = [await replica("n/cpu-0"), await router(), await agent("n")];
    await deploy();
    await waitFor(() => r.model(fraud).aliases.default === 1);
    g.tell([crash("1")]);
    g.tell([crash("1")]);
    g.tell([crash("of yesterday", Date.now() - 24 * 3_600_000)]);
    const { fleet } = await mesh.clients([scheduler.rpc]);
    expect((await fleet.listQuarantine({})).quarantined).toEqual([]);
    g.tell([crash("2")]);
    await waitFor(() => a.holds("fraud").length === 0 && r.model(fraud).reasons.length === 1);
    expect(r.model(fraud).reasons).toEqual([
      "Version 1 of default.fraud is not served: it is quarantined: it was running in 2 crashes of a replica.",
    ]);
    expect((await fleet.listQuarantine({})).quarantined).toMatchObject([{ model: "fraud", version: 1n, crashes: 2 }]);
    await fleet.releaseQuarantine({ model: "fraud", version: 1n });
    await waitFor(() => r.model(fraud).versions[1]?.length === 1);
  });

  it("hears of crashes from replicas without an agent too", async () => {
    const r = await router();
    const { fleet } = await mesh.clients([scheduler.rpc]);
    const a = await replica("alone/cpu-0", { exits: [crash("1", Date.now(), "alone/cpu-0")] });
    await deploy();
    await waitFor(() => r.model(fraud).aliases.default === 1);
    await a.stop();
    await replica("alone/cpu-0", { incarnation: "2", exits: [crash("2", Date.now(), "alone/cpu-0")] });
    await waitFor(async () => (await fleet.listQuarantine({})).quarantined.length === 1);
    expect((await fleet.listQuarantine({})).quarantined).toMatchObject([{ model: "fraud", version: 1n, crashes: 2 }]);
  });

  it("asks an agent for a dedicated replica and uses that alone", async () => {
    const [shared, g, r] = [await replica("n/cpu-0"), await agent("n"), await router()];
    await waitFor(() => g.dedicated !== undefined);
    await deploy({ sharing: 2 });
    const [want] = await waitFor(() => g.dedicated?.length === 1 && g.dedicated);
    expect(want).toMatchObject({ replicaId: "n/cpu-0/default.fraud", deviceId: "cpu-0", dedicatedTo: fraud });
    await replica("n/cpu-0/default.fraud", { dedicatedTo: fraud });
    await waitFor(() => r.model(fraud).versions[1]?.[0] === "n/cpu-0/default.fraud");
    expect(shared.holds("fraud")).toEqual([]);
    const { deployments } = await mesh.clients([scheduler.rpc]);
    await deployments.deleteDeployment({ model: "fraud" });
    await waitFor(() => g.dedicated?.length === 0);
  });

  it("is put with a status that knows where its alias points now, before the leader has heard of it", async () => {
    const slow = await mesh.scheduler({ AIMASS_SCHEDULER_LIBRARY_MS: "60000" });
    ends.push(() => slow.stop(1000));
    await scheduler.stop(1000);
    await replica("n/cpu-0", undefined, [slow.rpc]);
    const { deployments } = await mesh.clients([slow.rpc]);
    await waitFor(() => deployments.putDeployment({ spec: { model: "fraud" } }));
    const status = async () => (await deployments.getDeployment({ model: "fraud" })).deployment?.status;
    await waitFor(async () => (await status())?.settled);
    mesh.publish(fraud, { default: 2 }, [1, 2, 3]);
    const { deployment } = await deployments.putDeployment({ spec: { model: "fraud" } });
    expect(deployment?.status?.aliases).toMatchObject([{ alias: "default", wantedVersion: 2n, servedVersion: 1n }]);
    expect((await status())?.aliases).toMatchObject([{ wantedVersion: 1n }]);
    // Of an alias that is not served any more nothing is told.
    mesh.publish(fraud, { default: 1, canary: 1 }, [1, 2, 3]);
    await deployments.putDeployment({ spec: { model: "fraud", aliases: ["default", "canary"] } });
    await waitFor(async () => (await status())?.aliases.length === 2);
    const fewer = await deployments.putDeployment({ spec: { model: "fraud", aliases: ["default"] } });
    expect(fewer.deployment?.status?.aliases).toMatchObject([{ alias: "default", wantedVersion: 1n }]);
  });

  it("is paused and goes on where there is no room to deploy it", async () => {
    const [a, r] = [await replica("n/cpu-0"), await router()];
    await deploy();
    await waitFor(() => r.model(fraud).aliases.default === 1);
    await a.stop();
    const { deployments } = await mesh.clients([scheduler.rpc]);
    const put = (spec: object) => deployments.putDeployment({ spec: { model: "fraud", ...spec } });
    const plan = async () => (await deployments.putDeployment({ spec: { model: "fraud" }, dryRun: true })).plan;
    await waitFor(async () => (await plan())?.fits === false);
    for (const paused of [true, false]) expect((await put({ paused })).deployment).toMatchObject({ spec: { paused } });
    await expect(put({})).rejects.toMatchObject({ reason: "DOES_NOT_FIT" });
  });

  it("plans without storing, and refuses what does not fit", async () => {
    await replica("n/cpu-0");
    mesh.publish("default.big", { default: 1 }, [1]);
    const version = mesh.models.get("default.big")?.versions[0];
    if (version?.signature) version.signature.memoryBytes = 2_000_000_000n;
    const { deployments, fleet } = await mesh.clients([scheduler.rpc]);
    await waitFor(async () => (await fleet.listNodes({})).standaloneReplicas.length === 1);
    const { plan, deployment } = await deployments.putDeployment({ spec: { model: "big" }, dryRun: true });
    expect(deployment).toBeUndefined();
    expect(plan).toMatchObject({
      fits: false,
      shortages: ["memory: needs 1.9 GiB a replica, at most 858 MiB free (replica n/cpu-0)"],
      memoryBytesPerReplica: 2_000_000_000n,
    });
    await expect(deployments.putDeployment({ spec: { model: "big" } })).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "DOES_NOT_FIT",
    });
    const gpu = await deployments.putDeployment({ spec: { model: "fraud", deviceKind: "gpu" }, dryRun: true });
    expect(gpu.plan?.shortages).toEqual(["gpu: needs a replica on a gpu, none of the 1 replicas has one"]);
    expect((await deployments.listDeployments({})).deployments).toEqual([]);
  });

  it("is deployed by one of those who do it at the same moment, and by all who do the same", async () => {
    await replica("n/cpu-0");
    const { deployments } = await mesh.clients([scheduler.rpc]);
    await waitFor(() => deployments.putDeployment({ spec: { model: "fraud" }, dryRun: true }));
    const make = (keepWarm: number) =>
      deployments.putDeployment({ spec: { model: "fraud", keepWarm }, createOnly: true });
    const outcomes = await Promise.allSettled([make(1), make(2)]);
    const made = outcomes.find((outcome) => outcome.status === "fulfilled")?.value.deployment ?? expect.fail();
    expect(outcomes.filter((outcome) => outcome.status === "rejected")).toMatchObject([
      { reason: { code: "ABORTED", reason: "ETAG_MISMATCH" } },
    ]);
    expect((await make(made.spec?.keepWarm ?? 0)).deployment).toMatchObject({ spec: made.spec, etag: made.etag });
    expect((await deployments.getDeployment({ model: "fraud" })).deployment).toMatchObject({ spec: made.spec });
  });

  it("refuses a stale etag, a bad spec, and an unknown model exactly like a hidden one", async () => {
    await replica("n/cpu-0");
    const first = await deploy();
    const { deployments } = await mesh.clients([scheduler.rpc]);
    const second = await deployments.putDeployment({
      spec: { model: "fraud", replicas: 2 },
      etag: first.deployment?.etag ?? "",
    });
    expect(second.deployment?.etag).not.toBe(first.deployment?.etag);
    const stale = { spec: { model: "fraud" }, etag: first.deployment?.etag ?? "" };
    for (const call of [stale, { spec: { model: "fraud" }, createOnly: true }])
      for (const dryRun of [true, false])
        await expect(deployments.putDeployment({ ...call, dryRun })).rejects.toMatchObject({
          ...{ code: "ABORTED", reason: "ETAG_MISMATCH" },
        });
    const current = { spec: { model: "fraud" }, etag: second.deployment?.etag ?? "", dryRun: true };
    expect(await deployments.putDeployment(current)).toMatchObject({ plan: {} });
    await expect(deployments.putDeployment({ spec: { model: "fraud", aliases: ["7"] } })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      field: "spec.aliases",
    });
    const ada = await mesh.clients([scheduler.rpc], "user:ada");
    const hidden = await ada.deployments.putDeployment({ spec: { model: "fraud" } }).catch((e: Error) => e.message);
    const missing = await deployments.putDeployment({ spec: { model: "frau2" } }).catch((e: Error) => e.message);
    expect(String(hidden)).toBe(String(missing).replace("frau2", "fraud"));
    await expect(ada.deployments.getDeployment({ model: "fraud" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(ada.fleet.listNodes({})).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    expect((await ada.deployments.listDeployments({})).deployments).toEqual([]);
  });

  it("streams a deployment's way to settled", async () => {
    await replica("n/cpu-0");
    await deploy();
    const { deployments } = await mesh.clients([scheduler.rpc]);
    for await (const { deployment } of deployments.watchDeployment({ model: "fraud" })) {
      if (deployment?.status?.settled) return;
    }
    throw new Error("the stream ended before the deployment was settled");
  });

  it("lets only routers read routes and only the inference service attach", async () => {
    const identity = await mesh.identity("console");
    const routes = createServiceClient(RouteService, { addresses: [scheduler.rpc], identity });
    const replicas = createServiceClient(ReplicaService, { addresses: [scheduler.rpc], identity });
    await expect(firstOf(routes.watchRoutes({}))).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    const reports = new PushStream<{ replica: { id: string } }>();
    reports.push({ replica: { id: "rogue/cpu-0" } });
    await expect(firstOf(replicas.attachReplica(reports))).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  });

  it("ends the stream of a replica whose id another process took over", async () => {
    const identity = await mesh.identity("inference");
    const client = createServiceClient(ReplicaService, { addresses: [scheduler.rpc], identity });
    const reports = new PushStream<{ replica: { id: string; incarnation: string } }>();
    reports.push({ replica: { id: "n/cpu-0", incarnation: "1" } });
    const first = readAll(client.attachReplica(reports));
    await waitFor(
      async () => (await (await mesh.clients([scheduler.rpc])).fleet.listNodes({})).standaloneReplicas.length === 1,
    );
    await replica("n/cpu-0", { incarnation: "2" });
    const beat = setInterval(() => reports.push({ replica: { id: "n/cpu-0", incarnation: "1" } }), 50);
    await expect(first).rejects.toMatchObject({ code: "ABORTED", reason: "SUPERSEDED" });
    clearInterval(beat);
  });

  it("continues the routes after a restart, so that routers get deltas", async () => {
    await replica("n/cpu-0", {}, [scheduler.rpc]);
    const before = await router();
    await deploy();
    await waitFor(() => before.model(fraud).aliases.default === 1);
    await before.stop();
    await scheduler.stop(500);
    scheduler = await mesh.scheduler();
    const after = new TestRouter();
    after.epoch = before.epoch;
    after.version = before.version;
    for (const [key, bytes] of before.state) after.state.set(key, bytes);
    after.start([scheduler.rpc], await mesh.identity("router"));
    ends.push(() => after.stop());
    await waitFor(() => after.steps.length > 3);
    expect(
      after.steps.every((step) => step.epoch === before.epoch && !step.full && step.version >= before.version),
    ).toBe(true);
    expect(after.badDigests).toBe(0);
    expect(after.model(fraud).aliases.default).toBe(1);
  });
});

describe("a leader that is killed", () => {
  it("is replaced by a standby, and the routes stay as they were", async () => {
    await using mesh = await startMesh();
    mesh.publish(fraud, { default: 1 }, [1, 2]);
    const leader = await mesh.schedulerProcess();
    const standby = await mesh.scheduler();
    const both = [leader.rpc, standby.rpc];
    const replicas = ["n/cpu-0", "n/cpu-1"].map((id) => new TestReplica(id));
    for (const replica of replicas) replica.start(both, await mesh.identity("inference"));
    const router = new TestRouter().start(both, await mesh.identity("router"));
    try {
      await waitFor(() => router.state.size === 2);
      const { deployments } = await mesh.clients(both);
      await waitFor(() => deployments.putDeployment({ spec: { model: "fraud", replicas: 2 } }));
      await waitFor(() => router.model(fraud).versions[1]?.length === 2);
      const epoch = router.epoch;
      await leader.kill();
      const killed = performance.now();
      mesh.publish(fraud, { default: 2 }, [1, 2]);
      await waitFor(() => {
        expect(router.model(fraud).versions[1]).toEqual(["n/cpu-0", "n/cpu-1"]);
        return router.model(fraud).aliases.default === 2;
      });
      expect(performance.now() - killed).toBeLessThan(4000);
      expect(router.epoch).toBe(epoch);
      expect(router.steps.slice(1).every((step) => !step.full)).toBe(true);
      expect(router.badDigests).toBe(0);
    } finally {
      for (const replica of replicas) await replica.stop();
      await router.stop();
      await standby.stop(500);
    }
  });
});

describe("an alias that moves in the registry", () => {
  it("is heard of by its event, and a warm version takes over within moments", async () => {
    await using mesh = await startMesh();
    mesh.publish(fraud, { default: 1 }, [1, 2]);
    const scheduler = await mesh.scheduler({ AIMASS_SCHEDULER_LIBRARY_MS: "60000", AIMASS_SCHEDULER_TICK_MS: "60000" });
    const replica = new TestReplica("n/cpu-0").start([scheduler.rpc], await mesh.identity("inference"));
    const router = new TestRouter().start([scheduler.rpc], await mesh.identity("router"));
    const registry = await openStore<Record<string, never>>({
      url: mesh.databaseUrl,
      schema: "registry",
      migrations: [],
    });
    const facts = { clock: systemClock, telemetry: silentTelemetry(), databaseUrl: mesh.databaseUrl };
    const identity = await mesh.identity("registry");
    const bus = await openEventBus({ identity, store: registry, ...facts });
    const move = async (to: number) => {
      mesh.publish(fraud, { default: to }, [1, 2]);
      const value = { project: "default", model: "fraud", alias: "default", toVersion: BigInt(to) };
      await registry.withTransaction((tx) => bus.publishFrom(tx, { payload: { case: "aliasMoved", value } }));
      const moved = performance.now();
      await waitFor(() => router.model(fraud).aliases.default === to, { intervalMs: 1 });
      return performance.now() - moved;
    };
    try {
      const { deployments } = await mesh.clients([scheduler.rpc]);
      await waitFor(() => deployments.putDeployment({ spec: { model: "fraud" } }));
      await waitFor(() => router.model(fraud).aliases.default === 1);
      await move(2);
      // The clock would take a minute; the event takes some ten milliseconds.
      expect(await move(1)).toBeLessThan(1000);
    } finally {
      await bus[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
      await replica.stop();
      await router.stop();
      await scheduler.stop(500);
    }
  });
});

describe("a model that is deleted", () => {
  it("takes its deployment along, and none that was made for a later model of its name", async () => {
    await using mesh = await startMesh();
    mesh.publish(fraud, { default: 1 }, [1]);
    const scheduler = await mesh.scheduler();
    const replica = new TestReplica("n/cpu-0").start([scheduler.rpc], await mesh.identity("inference"));
    const registry = await openStore<Record<string, never>>({
      url: mesh.databaseUrl,
      schema: "registry",
      migrations: [],
    });
    const identity = await mesh.identity("registry");
    const facts = { clock: systemClock, telemetry: silentTelemetry(), databaseUrl: mesh.databaseUrl };
    const bus = await openEventBus({ identity, store: registry, ...facts });
    const tellDeleted = (agoMs: number) =>
      registry.withTransaction((tx) => {
        const value = { project: "default", model: "fraud", change: Change.DELETED };
        const occurredAt = timestampFromMs(Date.now() - agoMs);
        return bus.publishFrom(tx, { occurredAt, payload: { case: "modelChanged", value } });
      });
    try {
      const { deployments } = await mesh.clients([scheduler.rpc]);
      const find = () => deployments.getDeployment({ model: "fraud" });
      await waitFor(() => deployments.putDeployment({ spec: { model: "fraud", versions: [1n] } }));
      await tellDeleted(60_000);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      expect((await find()).deployment?.spec?.model).toBe("fraud");
      await tellDeleted(0);
      await waitFor(
        () =>
          find().then(
            () => false,
            () => true,
          ),
        { timeoutMs: 60_000 },
      );
      await expect(find()).rejects.toMatchObject({ code: "NOT_FOUND" });
      const history = () => deployments.listDeploymentHistory({ model: "fraud" });
      await waitFor(() =>
        history().then(
          () => false,
          ({ code }) => code === "NOT_FOUND",
        ),
      );
    } finally {
      await bus[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
      await replica.stop();
      await scheduler.stop(500);
    }
  });
});

describe("a database that dies and comes back", () => {
  it("takes no route, no replica and no assignment away", async () => {
    await using directory = await tempDirectory();
    await chmod(directory.path, 0o711);
    const open = () =>
      startEmbeddedPostgres({
        directory: directory.path,
        clock: systemClock,
        signal: new AbortController().signal,
        durable: false,
      });
    let database = await open();
    const url = await createDatabase(database.url, "mesh");
    await using mesh = await startMesh(url);
    mesh.publish(fraud, { default: 1 }, [1, 2]);
    const scheduler = await mesh.scheduler();
    const replica = new TestReplica("n/cpu-0").start([scheduler.rpc], await mesh.identity("inference"));
    const router = new TestRouter().start([scheduler.rpc], await mesh.identity("router"));
    try {
      const { deployments } = await mesh.clients([scheduler.rpc]);
      await waitFor(() => deployments.putDeployment({ spec: { model: "fraud" } }));
      await waitFor(() => router.model(fraud).versions[1]?.length === 1);
      database.failed.catch(() => {});
      process.kill(database.pid, "SIGKILL");
      const steps = router.steps.length;
      // Longer than the lease of the replica, so that it runs out while nobody can renew it.
      await systemClock.sleep(2500);
      expect(router.steps.length).toBeGreaterThan(steps + 5);
      expect(router.steps.every((step, i) => i === 0 || !step.full)).toBe(true);
      database = await open();
      mesh.publish(fraud, { default: 2 }, [1, 2]);
      await waitFor(
        () => {
          expect(router.model(fraud).versions[1]).toEqual(["n/cpu-0"]);
          expect(replica.holds("fraud")).toContain(1);
          return router.model(fraud).aliases.default === 2;
        },
        { timeoutMs: 60_000 },
      );
      expect(router.badDigests).toBe(0);
    } finally {
      await replica.stop();
      await router.stop();
      await scheduler.stop(500);
      await database.stop();
    }
  });
});

function crash(incarnation: string, atMs = Date.now(), replicaId = "n/cpu-0"): ReplicaExit {
  const running = [{ project: "default", model: "fraud", version: 1n }];
  const at = timestampFromMs(atMs);
  return create(ReplicaExitSchema, { replicaId, incarnation, exitCode: -1, signal: "SIGSEGV", running, at });
}

async function firstOf<T>(stream: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of stream) return item;
  return undefined;
}

/** Reads a stream to its end. */
async function readAll(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

/** Every event the scheduler told so far, oldest first, as a consumer of its own would see it. */
async function readEvents(url: string) {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const { rows } = await client.query<{ place: number; payload: Uint8Array }>(
      `select place, payload from (
        select 0 as place, position, payload from events.event union all select 1, position, payload from scheduler.outbox
      ) as told order by place, position`,
    );
    // One that is being published is in both places.
    const events = rows.map(({ place, payload }) =>
      fromBinary(EventSchema, place === 0 ? fromBinary(SignedEventSchema, payload).event : payload),
    );
    return [...new Map(events.map((event) => [event.id, event])).values()];
  } finally {
    await client.end();
  }
}
