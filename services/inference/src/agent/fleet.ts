import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DedicatedReplica } from "@aimass/api/scheduler";
import { type Clock, freePort } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import type { Device } from "../devices/device.ts";
import { type AgentConfig, agentLockFile } from "./agent-config.ts";
import { replicaCommand } from "./replica-command.ts";
import { adoptLife } from "./replica-life.ts";
import { type ReplicaDeath, ReplicaProcess } from "./replica-process.ts";
import { fingerprintOf, liveRecord, liveRecords, type ReplicaRecord, replicaFolder } from "./replica-record.ts";

/** How long a replica that an earlier agent started in another way may finish what it runs, in milliseconds. */
const replacedGraceMs = 5000;

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
  /** Whether it is known which dedicated replicas are wanted, and so which of an earlier agent's are not. */
  #hasSwept = false;

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

  /** Starts the shared replicas, or goes on with those that an earlier agent started. */
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
    if (this.#hasSwept) return;
    this.#hasSwept = true;
    void this.#endOthers(graceMs);
  }

  /** Drains and ends all of them, also those of an earlier agent that nobody has asked for yet. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all([...this.all.map((replica) => replica.stop(graceMs)), this.#endOthers(graceMs)]);
  }

  /** Ends what an earlier agent started and this one does not keep. */
  async #endOthers(graceMs: number): Promise<void> {
    const kept = new Set(this.all.map((replica) => replica.id));
    const others = (await liveRecords(this.#config.stateDirectory)).filter(({ replicaId }) => !kept.has(replicaId));
    await Promise.all(others.map((record) => this.#end(record, graceMs)));
  }

  async #end(record: ReplicaRecord, graceMs: number): Promise<void> {
    this.#log.info("a replica of an earlier agent is ended", { replica: record.replicaId, pid: record.pid });
    const life = adoptLife(record, this.#clock);
    life.kill("SIGTERM");
    using _kill = this.#clock.timer(graceMs + 3000, () => life.kill("SIGKILL"));
    await life.ended;
  }

  /** The ports are chosen once, so that a replica started again is found where it was. */
  async #spawn(options: { replicaId: string; device: Device; dedicatedTo: string }): Promise<ReplicaProcess> {
    const { env, replicaHost, node, stateDirectory } = this.#config;
    const { replicaId, device, dedicatedTo } = options;
    const folder = replicaFolder(stateDirectory, replicaId);
    const notePath = join(folder, "running");
    const command = replicaCommand({
      device,
      node: process.execPath,
      nodeArguments: process.execArgv,
      main: replicaMain,
      taskset: this.#taskset,
    });
    const ownEnv = {
      ...definedOnly(env),
      AIMASS_NODE: node,
      AIMASS_STATE_DIR: stateDirectory,
      AIMASS_REPLICA_ID: replicaId,
      AIMASS_DEDICATED_TO: dedicatedTo,
      AIMASS_ADVERTISE: "",
      AIMASS_ADMIN_LISTEN: "127.0.0.1:0",
      AIMASS_REPLICA_MEMORY_BYTES: String(device.memoryBytes || this.#memoryBytes),
      AIMASS_CRASH_NOTE: notePath,
      AIMASS_AGENT_LOCK: agentLockFile(this.#config),
    };
    const found = await liveRecord(folder);
    const isAsWanted = found?.fingerprint === fingerprintOf(command, ownEnv);
    if (found !== undefined && !isAsWanted) await this.#end(found, replacedGraceMs);
    const replica = new ReplicaProcess({
      id: replicaId,
      command,
      env: ownEnv,
      listen: found !== undefined && isAsWanted ? found.listen : `${replicaHost}:${await freePort(replicaHost)}`,
      folder,
      notePath,
      clock: this.#clock,
      log: this.#log,
      onDeath: this.#onDeath,
    });
    if (found !== undefined && isAsWanted) replica.adopt(found);
    else replica.start();
    return replica;
  }
}

function definedOnly(env: AgentConfig["env"]): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
