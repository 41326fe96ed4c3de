import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DedicatedReplica } from "@aimass/api/scheduler";
import { type Clock, freePort } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import type { Device } from "../devices/device.ts";
import type { AgentConfig } from "./agent-config.ts";
import { replicaCommand } from "./replica-command.ts";
import { type ReplicaDeath, ReplicaProcess } from "./replica-process.ts";

const replicaMain = fileURLToPath(new URL("../replica-main.ts", import.meta.url));

/** The replica processes of a machine: a shared one for each device, and dedicated ones as the scheduler wants them. */
export class Fleet {
  readonly #config: AgentConfig;
  readonly #devices: readonly Device[];
  readonly #memoryBytes: number;
  readonly #taskset: string | undefined;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #onDeath: (death: ReplicaDeath) => void;
  readonly #shared: ReplicaProcess[] = [];
  readonly #dedicated = new Map<string, ReplicaProcess>();

  constructor(options: {
    config: AgentConfig;
    devices: readonly Device[];
    /** Of each replica whose device does not say how much memory it has. */
    memoryBytes: number;
    taskset: string | undefined;
    clock: Clock;
    log: Logger;
    onDeath: (death: ReplicaDeath) => void;
  }) {
    this.#config = options.config;
    this.#devices = options.devices;
    this.#memoryBytes = options.memoryBytes;
    this.#taskset = options.taskset;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onDeath = options.onDeath;
  }

  /** Starts the shared replicas. */
  async start(): Promise<void> {
    for (const device of this.#devices) {
      this.#shared.push(await this.#spawn({ replicaId: `${this.#config.node}/${device.id}`, device, dedicatedTo: "" }));
    }
  }

  get all(): readonly ReplicaProcess[] {
    return [...this.#shared, ...this.#dedicated.values()];
  }

  /** Takes the whole set of wanted dedicated replicas: starts what is new, drains and ends what is missing. */
  async reconcile(wanted: readonly DedicatedReplica[], graceMs: number): Promise<void> {
    const ids = new Set(wanted.map((w) => w.replicaId));
    for (const [id, replica] of this.#dedicated) {
      if (ids.has(id)) continue;
      this.#dedicated.delete(id);
      void replica.stop(graceMs);
    }
    for (const { replicaId, deviceId, dedicatedTo } of wanted) {
      if (this.#dedicated.has(replicaId)) continue;
      const device = this.#devices.find((d) => d.id === deviceId);
      if (device === undefined) {
        this.#log.warn("a dedicated replica is wanted on a device that is not here", {
          replica: replicaId,
          device: deviceId,
        });
        continue;
      }
      this.#dedicated.set(replicaId, await this.#spawn({ replicaId, device, dedicatedTo }));
    }
  }

  /** Drains and ends all of them. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.all.map((replica) => replica.stop(graceMs)));
  }

  /** The ports are chosen once, so that a replica started again is found where it was. */
  async #spawn(options: { replicaId: string; device: Device; dedicatedTo: string }): Promise<ReplicaProcess> {
    const { env, replicaHost, node, stateDirectory } = this.#config;
    const { replicaId, device, dedicatedTo } = options;
    const notePath = join(stateDirectory, "replicas", replicaId.replaceAll("/", "_"), "running");
    const replica = new ReplicaProcess({
      id: replicaId,
      command: replicaCommand({
        device,
        node: process.execPath,
        nodeArguments: process.execArgv,
        main: replicaMain,
        taskset: this.#taskset,
      }),
      env: {
        ...definedOnly(env),
        AIMASS_NODE: node,
        AIMASS_STATE_DIR: stateDirectory,
        AIMASS_REPLICA_ID: replicaId,
        AIMASS_DEDICATED_TO: dedicatedTo,
        AIMASS_LISTEN: `${replicaHost}:${await freePort(replicaHost)}`,
        AIMASS_ADVERTISE: "",
        AIMASS_ADMIN_LISTEN: "127.0.0.1:0",
        AIMASS_REPLICA_MEMORY_BYTES: String(device.memoryBytes || this.#memoryBytes),
        AIMASS_CRASH_NOTE: notePath,
      },
      notePath,
      clock: this.#clock,
      log: this.#log,
      onDeath: this.#onDeath,
    });
    replica.start();
    return replica;
  }
}

function definedOnly(env: AgentConfig["env"]): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
