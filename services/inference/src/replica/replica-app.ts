import { hostname } from "node:os";
import { join } from "node:path";
import { type Address, type Clock, formatAddress, type RunningService, systemClock } from "@aimass/core";
import { type Listener, listen } from "@aimass/h2";
import { closeServiceClients } from "@aimass/rpc";
import { serveAdmin, type Telemetry } from "@aimass/telemetry";
import { trimCache } from "../artifacts/trim-cache.ts";
import { AssignmentMemory } from "../assignments/assignment-memory.ts";
import { SchedulerLink } from "../assignments/scheduler-link.ts";
import { endCrashNote } from "../crashes/crash-note.ts";
import { createCallSwitch } from "../rpc/call-switch.ts";
import type { ReplicaConfig } from "./replica-config.ts";
import { type Ground, openGround } from "./replica-ground.ts";
import { describeReplica, type ReplicaFacts } from "./replica-info.ts";
import { createParts, type Parts } from "./replica-parts.ts";
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
  const ground = await openGround(config, telemetry, clock);
  const failing = Promise.withResolvers<never>();
  failing.promise.catch(() => {});
  const parts = createParts(ground, { onFailed: failing.reject, onChange: () => link.changed() });
  const { log, pool, dispatcher, profiler, codec } = parts;
  let draining = false;
  const isDraining = () => draining;
  const listener = await openDoor(ground, parts, isDraining);
  const facts = factsOf(ground, listener);
  const link = createLink(ground, parts, { facts, isDraining });
  const admin = await serveAdmin({
    listen: config.adminListen,
    telemetry,
    ready: () => (draining ? "The replica is draining." : link.isAssigned || "No assignment has come yet."),
  });
  const stopped = new AbortController();
  const linked = link.run(stopped.signal);
  const trimming = keepTrimmed(ground, parts);
  watchKeepers(config, { clock, signal: stopped.signal, log }).catch(failing.reject);
  log.info("the replica is up", { ...facts, device: facts.device.id, admin: formatAddress(admin.address) });

  return {
    addresses: { rpc: formatAddress(listener.address), admin: formatAddress(admin.address) },
    failed: failing.promise,
    async stop(graceMs) {
      draining = true;
      endCrashNote(ground.notePath, ground.incarnation);
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

function openDoor(ground: Ground, parts: Parts, isDraining: () => boolean): Promise<Listener> {
  const { config, clock, telemetry, identity, device } = ground;
  const { codec, servables, metrics } = parts;
  const { bodyLimitBytes } = config;
  const { tracer } = telemetry;
  const context = { codec, servables, clock, tracer, metrics, bodyLimitBytes, isDraining, device: device.id };
  const handler = createCallSwitch({ context, identity, kind: device.kind });
  return listen({ listen: config.listen, ...routerResets, handler });
}

function factsOf({ config, id, device, incarnation }: Ground, listener: Listener): ReplicaFacts {
  const { node, dedicatedTo } = config;
  const address = formatAddress(config.advertise ?? reachable(listener.address));
  return { id, node, device, address, dedicatedTo, incarnation };
}

function createLink(
  { clock, telemetry, home, exits }: Ground,
  { scheduler, memory, servables }: Parts,
  { facts, isDraining }: { facts: ReplicaFacts; isDraining: () => boolean },
): SchedulerLink {
  return new SchedulerLink({
    scheduler,
    memory: new AssignmentMemory(join(home, "assignment")),
    clock,
    log: telemetry.log.scope("inference.link"),
    describe: () => {
      const { all, refused } = servables;
      return describeReplica(facts, { draining: isDraining(), memory, servables: all, refused });
    },
    assign: (wanted) => servables.reconcile(wanted),
    exits,
  });
}

/** Brings the cache down to its limit from time to time, and at once: a process that is killed again and again would never come to it. */
function keepTrimmed({ config, clock }: Ground, { cache, cacheDirectory, servables, log }: Parts): NodeJS.Timeout {
  const trim = async () => {
    await cache.keep(servables.versions);
    await trimCache(cacheDirectory, config.cacheBytes, clock.now());
  };
  const trimOrWarn = () => {
    trim().catch((error: unknown) => log.warn("the cache could not be trimmed", { error }));
  };
  trimOrWarn();
  return setInterval(trimOrWarn, trimMs).unref();
}

/** Any-address is where one listens, not where one is reached. */
function reachable(address: Address): Address {
  return address.host === "0.0.0.0" || address.host === "::" ? { host: hostname(), port: address.port } : address;
}
