import { randomUUID } from "node:crypto";
import { devNull } from "node:os";
import { join } from "node:path";
import type { ReplicaExit } from "@aimass/api/scheduler";
import type { Clock } from "@aimass/core";
import { ServiceIdentity } from "@aimass/identity";
import type { Telemetry } from "@aimass/telemetry";
import { type CrashNote, readCrashNote, startCrashNote } from "../crashes/crash-note.ts";
import { assertNode } from "../devices/assert-node.ts";
import type { Device } from "../devices/device.ts";
import { discoverDevices } from "../devices/discover-devices.ts";
import type { ReplicaConfig } from "./replica-config.ts";
import { describeExits } from "./replica-info.ts";

/** What a replica stands on: who it is, on which device, and what its last process left. */
export interface Ground {
  readonly config: ReplicaConfig;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly identity: ServiceIdentity;
  readonly id: string;
  readonly device: Device;
  readonly executionProviders: readonly string[];
  /** Folder of its own. */
  readonly home: string;
  /** Another one for each process. */
  readonly incarnation: string;
  readonly lastNote: CrashNote | undefined;
  /** How earlier processes ended, where no agent tells it. */
  readonly exits: readonly ReplicaExit[];
  readonly notePath: string;
}

/** Rejects when an identity file cannot be used, or is another node's. */
export async function openGround(config: ReplicaConfig, telemetry: Telemetry, clock: Clock): Promise<Ground> {
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
  const who = { identity, id, device, executionProviders };
  return { config, clock, telemetry, ...who, home, incarnation, lastNote, exits, notePath };
}
