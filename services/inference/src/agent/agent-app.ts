import { mkdir } from "node:fs/promises";
import { ReplicaService } from "@aimass/api/scheduler";
import {
  AimassError,
  type Clock,
  formatAddress,
  type ProcessLock,
  type RunningService,
  systemClock,
  takeProcessLock,
} from "@aimass/core";
import { ServiceIdentity } from "@aimass/identity";
import { closeServiceClients, createServiceClient } from "@aimass/rpc";
import { serveAdmin, type Telemetry } from "@aimass/telemetry";
import { assertNode } from "../devices/assert-node.ts";
import { discoverDevices } from "../devices/discover-devices.ts";
import { type AgentConfig, agentLockFile } from "./agent-config.ts";
import { Announcer } from "./announcer.ts";
import { Fleet } from "./fleet.ts";
import { findTaskset, memoryLimit } from "./machine.ts";

/** How long a dedicated replica that is not wanted any more may finish what it runs, in milliseconds. */
const dedicatedGraceMs = 30_000;

/** Starts an agent: finds the devices, runs a replica on each, announces the machine. */
export async function startAgent(
  config: AgentConfig,
  telemetry: Telemetry,
  clock: Clock = systemClock,
): Promise<RunningService> {
  const log = telemetry.log.scope("inference.agent");
  const identity = await ServiceIdentity.load(config.identityFile, config.trustFile, clock);
  assertNode(identity, config.node);
  await mkdir(config.stateDirectory, { recursive: true });
  const lock = await takeAgentLock(config);
  const devices = config.devices ?? (await discoverDevices());
  const memoryBytes = config.replicaMemoryBytes ?? Math.floor((memoryLimit() * 0.8) / devices.length);
  const fleet: Fleet = new Fleet({
    config,
    devices,
    memoryBytes,
    taskset: await findTaskset(),
    clock,
    log,
    onDeath: (death) => announcer.died(death),
  });
  let reconciling: Promise<void> = Promise.resolve();
  const announcer: Announcer = new Announcer({
    scheduler: createServiceClient(ReplicaService, { addresses: config.schedulerAddresses, identity, telemetry }),
    node: config.node,
    devices,
    directory: config.stateDirectory,
    clock,
    log,
    onWanted: (wanted) => {
      reconciling = reconciling
        .then(() => fleet.reconcile(wanted, dedicatedGraceMs))
        .catch((error: unknown) => log.error("dedicated replicas could not be started", { error }));
    },
  });
  telemetry.metrics.observedGauge(
    "aimass_inference_replica_up",
    { help: "1 while a replica's process is up.", labels: ["replica"] },
    () => fleet.all.map((replica) => ({ value: replica.isReady ? 1 : 0, labels: { replica: replica.id } })),
  );
  await fleet.start();
  const admin = await serveAdmin({
    listen: config.adminListen,
    telemetry,
    ready: () => fleet.all.every((replica) => replica.isReady) || "Not every replica is up.",
  });
  const stopped = new AbortController();
  const announcing = announcer.run(stopped.signal);
  log.info("the agent is up", { node: config.node, devices: devices.map((d) => d.id) });
  return {
    addresses: { admin: formatAddress(admin.address) },
    async stop(graceMs) {
      stopped.abort();
      await announcing;
      await reconciling;
      await fleet.stop(graceMs);
      await lock.release();
      await closeServiceClients();
      await admin.close();
      await telemetry[Symbol.asyncDispose]();
    },
  };
}

/** Errors: FAILED_PRECONDITION when another agent of this node lives. */
async function takeAgentLock(config: AgentConfig): Promise<ProcessLock> {
  const file = agentLockFile(config);
  const result = await takeProcessLock(file);
  if (result.kind === "taken") return result.lock;
  throw new AimassError(
    "FAILED_PRECONDITION",
    `Another agent of ${config.node} runs (process ${result.pid ?? "unknown"}).`,
    { remedy: "Stop that one first, or give this one an own AIMASS_NODE and AIMASS_STATE_DIR." },
  );
}
