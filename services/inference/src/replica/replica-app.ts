import { randomUUID } from "node:crypto";
import { devNull, hostname } from "node:os";
import { join } from "node:path";
import { ArtifactService } from "@aimass/api/registry";
import { ReplicaService } from "@aimass/api/scheduler";
import { type Address, type Clock, formatAddress, type RunningService, systemClock } from "@aimass/core";
import { listen } from "@aimass/h2";
import { ServiceIdentity } from "@aimass/identity";
import { closeServiceClients, createServiceClient } from "@aimass/rpc";
import { serveAdmin, type Telemetry } from "@aimass/telemetry";
import { BundleCache } from "../artifacts/bundle-cache.ts";
import { registryArtifactSource } from "../artifacts/registry-artifact-source.ts";
import { trimCache } from "../artifacts/trim-cache.ts";
import { AssignmentMemory } from "../assignments/assignment-memory.ts";
import { SchedulerLink } from "../assignments/scheduler-link.ts";
import { Codec } from "../codec/codec.ts";
import { endCrashNote, noteCulprit, readCrashNote, startCrashNote } from "../crashes/crash-note.ts";
import { assertNode } from "../devices/assert-node.ts";
import type { Device } from "../devices/device.ts";
import { discoverDevices } from "../devices/discover-devices.ts";
import { ProfileNotes } from "../profiling/profile-notes.ts";
import { Profiler } from "../profiling/profiler.ts";
import { Profiles } from "../profiling/profiles.ts";
import { createCallSwitch } from "../rpc/call-switch.ts";
import { Dispatcher } from "../servables/dispatcher.ts";
import { Loader } from "../servables/loader.ts";
import { MemoryBudget } from "../servables/memory-budget.ts";
import { Servable } from "../servables/servable.ts";
import { ServableSet } from "../servables/servable-set.ts";
import { planServing } from "../servables/serving-plan.ts";
import { SessionKeeper } from "../servables/session-keeper.ts";
import { versionKey } from "../servables/version-name.ts";
import { SlotPool } from "../slots/slot-pool.ts";
import { observeReplica, ReplicaMetrics } from "./metrics.ts";
import { cpusOf, type ReplicaConfig } from "./replica-config.ts";
import { describeExits, describeReplica, type ReplicaFacts } from "./replica-info.ts";
import { watchKeepers } from "./watch-keepers.ts";

/** How long routers get to hear that a replica drains before it closes its door, in milliseconds. */
const farewellMs = 500;

/** Calls that a router cancels on one connection, at once and a second, before it counts as a flood: routers pass on what all their clients give up. */
const routerResets = { resetBurst: 50_000, resetRate: 5000 };

/** How often the cache on disk is brought down to its limit, in milliseconds. */
const trimMs = 600_000;

/** Starts a replica: listens, attaches to the scheduler, serves what it is assigned. Rejects when an address or an identity file cannot be used. */
export async function startReplica(
  config: ReplicaConfig,
  telemetry: Telemetry,
  clock: Clock = systemClock,
): Promise<RunningService> {
  const log = telemetry.log.scope("inference.replica");
  const identity = await ServiceIdentity.load(config.identityFile, config.trustFile, clock);
  assertNode(identity, config.node);
  const device = config.device ?? ((await discoverDevices())[0] as Device);
  const id = config.replicaId ?? `${config.node}/${device.id}`;
  const executionProviders = config.executionProviders ?? (device.kind === "gpu" ? ["cuda", "cpu"] : ["cpu"]);
  const home = join(config.stateDirectory, "replicas", id.replaceAll("/", "_"));
  const incarnation = randomUUID();
  const keptNote = config.crashNote ?? join(home, "running");
  // An agent, which says where the note lies, has read it already.
  const lastNote = readCrashNote(keptNote);
  const exits = config.crashNote === undefined ? describeExits(id, lastNote) : [];
  // Without room for a note the replica serves all the same.
  const notePath = startCrashNote(keptNote, incarnation) ? keptNote : devNull;

  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  const pool = new SlotPool({
    size: config.slots || cpusOf(device),
    notePath,
    onDied: (error) => fail(error),
    onStuck: (version) => {
      // A thread inside ONNX Runtime cannot be stopped; the process can. Its agent starts another.
      noteCulprit(notePath, incarnation, version);
      log.error("a run passed its limit; the process ends itself", { version: versionKey(version) });
      process.kill(process.pid, "SIGKILL");
    },
  });
  const clients = { identity, telemetry };
  const registry = createServiceClient(ArtifactService, { addresses: config.registryAddresses, ...clients });
  const scheduler = createServiceClient(ReplicaService, { addresses: config.schedulerAddresses, ...clients });
  const memory = new MemoryBudget({ limitBytes: config.memoryBytes, baseBytes: process.memoryUsage.rss() });
  const cacheDirectory = join(config.stateDirectory, "cache");
  const cache = new BundleCache({
    directory: cacheDirectory,
    source: registryArtifactSource({ registry, scheduler, replicaId: id }),
    clock,
  });
  const dispatcher = new Dispatcher(clock);
  const metrics = new ReplicaMetrics(telemetry.metrics);
  const keeper = new SessionKeeper({ pool, memory, executionProviders, onEvicted: metrics.evicted });
  const profiler = new Profiler();
  const profiles = new Profiles({ profiler, notes: new ProfileNotes(), log });
  const servables = new ServableSet({
    suspects: new Set(lastNote?.running.map(versionKey)),
    create: ({ version, onDemand }, onDemanded) => {
      const plan = planServing(version, cpusOf(device));
      return new Servable(plan, {
        clock,
        observer: metrics.observer(plan, log),
        onDemand,
        wake: dispatcher.wake,
        onDemanded,
        spareBytes: () => Math.max(0, Math.min(memory.limitBytes - memory.usedBytes, process.availableMemory())),
      });
    },
    loader: new Loader({ cache, keeper, profiles, clock, onRecalled: metrics.recalled }),
    log,
    onChange: () => link.changed(),
    onGone: (servable) => metrics.forget(servable),
  });
  observeReplica(telemetry.metrics, servables, { ...device, executionProviders: executionProviders.join(",") });

  let draining = false;
  const codec = new Codec();
  const context = {
    codec,
    servables,
    clock,
    tracer: telemetry.tracer,
    metrics,
    bodyLimitBytes: config.bodyLimitBytes,
    isDraining: () => draining,
    device: device.id,
  };
  const listener = await listen({
    listen: config.listen,
    ...routerResets,
    handler: createCallSwitch({ context, identity, kind: device.kind }),
  });
  const facts: ReplicaFacts = {
    id,
    node: config.node,
    device,
    address: formatAddress(config.advertise ?? reachable(listener.address)),
    dedicatedTo: config.dedicatedTo,
    incarnation,
  };
  const link = new SchedulerLink({
    scheduler,
    memory: new AssignmentMemory(join(home, "assignment")),
    clock,
    log: telemetry.log.scope("inference.link"),
    describe: () => describeReplica(facts, { draining, memory, servables: servables.all, refused: servables.refused }),
    assign: (wanted) => servables.reconcile(wanted),
    exits,
  });
  const admin = await serveAdmin({
    listen: config.adminListen,
    telemetry,
    ready: () => (draining ? "The replica is draining." : link.isAssigned || "No assignment has come yet."),
  });
  const stopped = new AbortController();
  const linked = link.run(stopped.signal);
  const trim = async () => {
    await cache.keep(servables.versions);
    await trimCache(cacheDirectory, config.cacheBytes, clock.now());
  };
  const trimOrWarn = () => {
    trim().catch((error: unknown) => log.warn("the cache could not be trimmed", { error }));
  };
  // At once too: a process that is killed again and again would never come to it.
  trimOrWarn();
  const trimming = setInterval(trimOrWarn, trimMs);
  trimming.unref();
  watchKeepers(config, { clock, signal: stopped.signal, log }).catch((error: unknown) => fail(error as Error));
  log.info("the replica is up", { ...facts, device: device.id, admin: formatAddress(admin.address) });

  return {
    addresses: { rpc: formatAddress(listener.address), admin: formatAddress(admin.address) },
    failed,
    async stop(graceMs) {
      draining = true;
      endCrashNote(notePath, incarnation);
      link.changed();
      await clock.sleep(Math.min(farewellMs, graceMs / 4));
      await listener.drain(graceMs);
      clearInterval(trimming);
      stopped.abort();
      await linked;
      await closeServiceClients();
      dispatcher[Symbol.dispose]();
      profiler[Symbol.dispose]();
      await codec[Symbol.asyncDispose]();
      await pool[Symbol.asyncDispose]();
      await admin.close();
      await telemetry[Symbol.asyncDispose]();
    },
  };
}

/** Any-address is where one listens, not where one is reached. */
function reachable(address: Address): Address {
  return address.host === "0.0.0.0" || address.host === "::" ? { host: hostname(), port: address.port } : address;
}
