import { homedir, hostname, totalmem } from "node:os";
import { join } from "node:path";
import { type Address, type Environment, readConfig, readListeners, type Variables } from "@aimass/core";
import { parseCpuList } from "../devices/cpu-list.ts";
import { parseDeclaredDevices } from "../devices/declared-devices.ts";
import type { Device } from "../devices/device.ts";

/** What a replica process is told. */
export interface ReplicaConfig {
  readonly listen: Address;
  readonly adminListen: Address;
  /** Where routers reach it; undefined: where it listens. */
  readonly advertise: Address | undefined;
  readonly identityFile: string;
  readonly trustFile: string;
  readonly schedulerAddresses: readonly Address[];
  readonly registryAddresses: readonly Address[];
  /** Shared by the replicas of a machine. */
  readonly stateDirectory: string;
  readonly node: string;
  /** Undefined: node and device. */
  readonly replicaId: string | undefined;
  readonly dedicatedTo: string;
  /** Undefined: discover. */
  readonly device: Device | undefined;
  /** In order of preference; undefined: by the device. */
  readonly executionProviders: readonly string[] | undefined;
  readonly memoryBytes: number;
  /** Threads that run sessions; 0: as many as CPUs. */
  readonly slots: number;
  readonly bodyLimitBytes: number;
  /** Bytes of bundles kept on disk; what is over goes, used longest ago first. */
  readonly cacheBytes: number;
  /** Where the crash note lies; undefined: in the state directory. */
  readonly crashNote: string | undefined;
  /** Lock files of the agent that keeps this replica and of whoever keeps the agent; undefined: nobody does. */
  readonly agentLock: string | undefined;
  readonly supervisorLock: string | undefined;
  /** How long it serves on without an agent and a supervisor. */
  readonly orphanMs: number;
}

/** Reads a replica's variables. Throws ConfigError with every problem. */
export function readReplicaConfig(env: Environment): ReplicaConfig {
  return readConfig(env, (v) => {
    const node = v.string("AIMASS_NODE", hostname());
    const device = readDevice(v);
    v.atMost("AIMASS_MAX_BODY_BYTES", "AIMASS_REPLICA_MEMORY_BYTES", { because: "a larger body has no room" });
    return {
      ...readListeners(v),
      advertise: v.optional("AIMASS_ADVERTISE") === undefined ? undefined : v.address("AIMASS_ADVERTISE"),
      identityFile: v.string("AIMASS_IDENTITY_FILE"),
      trustFile: v.string("AIMASS_TRUST_FILE"),
      schedulerAddresses: v.addresses("AIMASS_SCHEDULER_ADDRESSES"),
      registryAddresses: v.addresses("AIMASS_REGISTRY_ADDRESSES"),
      stateDirectory: v.string("AIMASS_STATE_DIR", join(homedir(), ".aimass", "inference")),
      node,
      replicaId: v.optional("AIMASS_REPLICA_ID"),
      dedicatedTo: v.string("AIMASS_DEDICATED_TO", ""),
      device,
      executionProviders: readProviders(v),
      memoryBytes: v.integer("AIMASS_REPLICA_MEMORY_BYTES", {
        fallback: defaultMemoryBytes(),
        minimum: 2 ** 20,
        maximum: Number.MAX_SAFE_INTEGER,
      }),
      slots: v.integer("AIMASS_SLOTS", { fallback: 0, minimum: 0, maximum: 256 }),
      bodyLimitBytes: v.integer("AIMASS_MAX_BODY_BYTES", {
        fallback: 256 * 2 ** 20,
        minimum: 1024,
        maximum: 2 ** 31 - 1,
      }),
      cacheBytes: v.integer("AIMASS_CACHE_BYTES", {
        fallback: 20 * 2 ** 30,
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
      }),
      crashNote: v.optional("AIMASS_CRASH_NOTE"),
      agentLock: v.optional("AIMASS_AGENT_LOCK"),
      supervisorLock: v.optional("AIMASS_SUPERVISOR_LOCK"),
      orphanMs: v.integer("AIMASS_ORPHAN_MS", { fallback: 300_000, minimum: 0, maximum: 30 * 24 * 3600_000 }),
    };
  });
}

/** CPUs of a device; 1 for a GPU, whose sessions need a thread each to feed it. */
export function cpusOf(device: Device): number {
  return device.kind === "cpu" ? (parseCpuList(device.selector)?.length ?? 1) : 1;
}

function readDevice(v: Variables): Device | undefined {
  const text = v.optional("AIMASS_DEVICE");
  if (text === undefined) return undefined;
  const declared = parseDeclaredDevices(text);
  if ("devices" in declared && declared.devices.length === 1) return declared.devices[0];
  // Asking for a choice that is not there is how a problem is reported along with all others.
  v.choice("AIMASS_DEVICE", ["one device such as cpu:0-3 or gpu:0"]);
  return undefined;
}

function readProviders(v: Variables): readonly string[] | undefined {
  const names = v
    .optional("AIMASS_EXECUTION_PROVIDERS")
    ?.split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return names === undefined || names.length === 0 ? undefined : names;
}

/** Four fifths of what this process may use: the container's limit when there is one, else the machine's memory. */
function defaultMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  const total = constrained > 0 && constrained < totalmem() ? constrained : totalmem();
  return Math.floor(total * 0.8);
}
