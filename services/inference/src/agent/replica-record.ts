import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolder, processIdentity } from "@aimass/core";
import type { ReplicaCommand } from "./replica-command.ts";

/** What an agent leaves on disk of a replica that it started, for the agent that comes after it. */
export interface ReplicaRecord {
  readonly replicaId: string;
  readonly pid: number;
  /** Tells the process from a later one with the same id. */
  readonly identity: string;
  /** Where it listens, "host:port". */
  readonly listen: string;
  /** Of its command and environment: a replica that would be started otherwise now is not taken over. */
  readonly fingerprint: string;
}

const recordName = "process.json";

/** Where a replica's record and crash note lie. */
export function replicaFolder(stateDirectory: string, replicaId: string): string {
  return join(stateDirectory, "replicas", replicaId.replaceAll("/", "_"));
}

/** Writes a record, whole or not at all. Throws the system's error. */
export function writeRecord(folder: string, record: ReplicaRecord): void {
  makeFolder(folder);
  writeFileSync(join(folder, `${recordName}.new`), `${JSON.stringify(record)}\n`, { mode: 0o600 });
  renameSync(join(folder, `${recordName}.new`), join(folder, recordName));
}

/** The record of a replica whose process lives; undefined when there is none. */
export async function liveRecord(folder: string): Promise<ReplicaRecord | undefined> {
  let record: ReplicaRecord;
  try {
    record = JSON.parse(readFileSync(join(folder, recordName), "utf8")) as ReplicaRecord;
  } catch {
    return undefined;
  }
  return (await processIdentity(record.pid)) === record.identity ? record : undefined;
}

/** The records of all replicas that live. */
export async function liveRecords(stateDirectory: string): Promise<ReplicaRecord[]> {
  const parent = dirname(replicaFolder(stateDirectory, "any"));
  const names = await readdir(parent).catch(() => []);
  const records = await Promise.all(names.map((name) => liveRecord(join(parent, name))));
  return records.filter((record) => record !== undefined);
}

/** Variables that decide what a replica does. Others, such as those of a service manager, differ from start to start. */
const decisive = /^(AIMASS_|OTEL_|ONNXRUNTIME_|CUDA_|LOG|LD_LIBRARY_PATH$|NATS_URL$)/;

/** A digest of how a replica is started, but for the port that was chosen for it. */
export function fingerprintOf(command: ReplicaCommand, env: Readonly<Record<string, string>>): string {
  const variables = Object.entries({ ...env, ...command.env })
    .filter(([name]) => decisive.test(name) && name !== "AIMASS_LISTEN")
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([command.file, command.arguments, variables]))
    .digest("hex");
}
