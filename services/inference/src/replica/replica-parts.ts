import { join } from "node:path";
import { ArtifactService } from "@aimass/api/registry";
import { ReplicaService } from "@aimass/api/scheduler";
import { createServiceClient } from "@aimass/rpc";
import { BundleCache } from "../artifacts/bundle-cache.ts";
import { registryArtifactSource } from "../artifacts/registry-artifact-source.ts";
import { Codec } from "../codec/codec.ts";
import { noteCulprit } from "../crashes/crash-note.ts";
import { ProfileNotes } from "../profiling/profile-notes.ts";
import { Profiler } from "../profiling/profiler.ts";
import { Profiles } from "../profiling/profiles.ts";
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
import { cpusOf } from "./replica-config.ts";
import type { Ground } from "./replica-ground.ts";

/** What the parts tell the replica. */
export interface Told {
  /** The process cannot go on. */
  readonly onFailed: (error: Error) => void;
  /** Servables came, changed or went. */
  readonly onChange: () => void;
}

/** The parts of a replica, put together; only the threads of its slots run. */
export type Parts = ReturnType<typeof createParts>;

export function createParts(ground: Ground, told: Told) {
  const { config, clock, telemetry, identity, id, device, executionProviders } = ground;
  const log = telemetry.log.scope("inference.replica");
  const clients = { identity, telemetry };
  const registry = createServiceClient(ArtifactService, { addresses: config.registryAddresses, ...clients });
  const scheduler = createServiceClient(ReplicaService, { addresses: config.schedulerAddresses, ...clients });
  const cacheDirectory = join(config.stateDirectory, "cache");
  const source = registryArtifactSource({ registry, scheduler, replicaId: id });
  const cache = new BundleCache({ directory: cacheDirectory, source, clock });
  const memory = new MemoryBudget({ limitBytes: config.memoryBytes, baseBytes: process.memoryUsage.rss() });
  const dispatcher = new Dispatcher(clock);
  const metrics = new ReplicaMetrics(telemetry.metrics);
  const pool = createPool(ground, told.onFailed);
  const keeper = new SessionKeeper({ pool, memory, executionProviders, onEvicted: metrics.evicted });
  const profiler = new Profiler();
  const profiles = new Profiles({ profiler, notes: new ProfileNotes(), log });
  const servables = new ServableSet({
    suspects: new Set(ground.lastNote?.running.map(versionKey)),
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
    onChange: told.onChange,
    onGone: (servable) => metrics.forget(servable),
  });
  observeReplica(telemetry.metrics, servables, { ...device, executionProviders: executionProviders.join(",") });
  const codec = new Codec();
  return { log, scheduler, cacheDirectory, cache, memory, dispatcher, metrics, pool, profiler, servables, codec };
}

function createPool({ config, device, telemetry, notePath, incarnation }: Ground, onDied: Told["onFailed"]): SlotPool {
  const log = telemetry.log.scope("inference.replica");
  return new SlotPool({
    size: config.slots || cpusOf(device),
    notePath,
    onDied,
    onStuck: (version) => {
      // A thread inside ONNX Runtime cannot be stopped; the process can. Its agent starts another.
      noteCulprit(notePath, incarnation, version);
      log.error("a run passed its limit; the process ends itself", { version: versionKey(version) });
      process.kill(process.pid, "SIGKILL");
    },
  });
}
