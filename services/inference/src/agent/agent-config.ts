import { homedir, hostname } from "node:os";
import { join } from "node:path";
import { type Address, type Environment, readConfig } from "@aimass/core";
import { parseDeclaredDevices } from "../devices/declared-devices.ts";
import type { Device } from "../devices/device.ts";

/** What an agent is told. */
export interface AgentConfig {
  readonly adminListen: Address;
  readonly identityFile: string;
  readonly trustFile: string;
  readonly schedulerAddresses: readonly Address[];
  readonly stateDirectory: string;
  readonly node: string;
  /** Undefined: discover. */
  readonly devices: readonly Device[] | undefined;
  /** Host on which replicas listen and are reached. */
  readonly replicaHost: string;
  /** Memory each replica may use; undefined: an equal share of four fifths of the machine's. */
  readonly replicaMemoryBytes: number | undefined;
  /** Handed to the replicas, which read the rest themselves. */
  readonly env: Environment;
}

/** Says which process is the agent of a node; its replicas watch it. */
export function agentLockFile(config: Pick<AgentConfig, "stateDirectory" | "node">): string {
  return join(config.stateDirectory, `agent-${config.node.replaceAll("/", "_")}.lock`);
}

/** Reads an agent's variables. Throws ConfigError with every problem. */
export function readAgentConfig(env: Environment): AgentConfig {
  return readConfig(env, (v) => {
    const declared = env.AIMASS_DEVICES ? parseDeclaredDevices(env.AIMASS_DEVICES) : undefined;
    if (declared !== undefined && "problems" in declared) v.choice("AIMASS_DEVICES", [declared.problems.join("; ")]);
    const memory = v.integer("AIMASS_REPLICA_MEMORY_BYTES", {
      fallback: 0,
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
    });
    v.addresses("AIMASS_REGISTRY_ADDRESSES");
    return {
      adminListen: v.address("AIMASS_ADMIN_LISTEN", "127.0.0.1:0"),
      identityFile: v.string("AIMASS_IDENTITY_FILE"),
      trustFile: v.string("AIMASS_TRUST_FILE"),
      schedulerAddresses: v.addresses("AIMASS_SCHEDULER_ADDRESSES"),
      stateDirectory: v.string("AIMASS_STATE_DIR", join(homedir(), ".aimass", "inference")),
      node: v.string("AIMASS_NODE", hostname()),
      devices: declared !== undefined && "devices" in declared ? declared.devices : undefined,
      replicaHost: v.string("AIMASS_REPLICA_HOST", "127.0.0.1"),
      replicaMemoryBytes: memory > 0 ? memory : undefined,
      env,
    };
  });
}
