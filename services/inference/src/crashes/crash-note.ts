import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { VersionName } from "../servables/version-name.ts";

/**
 * The crash note: a file of fixed records that says what runs at this moment, so that whoever finds the process dead learns which versions were running.
 * Record 0 is written by the main thread when it ends the process for a run that is stuck, and then alone names the culprit; each slot has a record of its own,
 * written before a run and cleared after it.
 */
export const recordSize = 512;

/** Overwrites the first byte of a record. */
export const clearedRecord: Uint8Array = new Uint8Array(1);

/** The record that names a version. */
export function encodeRecord({ project, model, version }: VersionName): Uint8Array {
  const record = Buffer.alloc(recordSize);
  record.write(JSON.stringify({ project, model, version: String(version) }), 0, recordSize - 1);
  return record;
}

/** Starts an empty note, and the folder it lies in. */
export function startCrashNote(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  closeSync(openSync(path, "w", 0o600));
}

/** Names the version whose run is stuck, just before the process ends itself. */
export function noteCulprit(path: string, version: VersionName): void {
  const file = openSync(path, "r+");
  writeSync(file, encodeRecord(version), 0, recordSize, 0);
  closeSync(file);
}

/** Versions that were running when the process died; none when there is no note. */
export function readCrashNote(path: string): readonly VersionName[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return [];
  }
  const records: (VersionName | undefined)[] = [];
  for (let at = 0; at < bytes.length; at += recordSize) records.push(decodeRecord(bytes.subarray(at, at + recordSize)));
  const running = records[0] === undefined ? records : [records[0]];
  const byKey = new Map(running.filter((r) => r !== undefined).map((r) => [`${r.project}.${r.model}/${r.version}`, r]));
  return [...byKey.values()];
}

function decodeRecord(record: Buffer): VersionName | undefined {
  if (record.length === 0 || record[0] === 0) return undefined;
  const end = record.indexOf(0);
  try {
    const { project, model, version } = JSON.parse(record.toString("utf8", 0, end < 0 ? record.length : end));
    return { project, model, version: BigInt(version) };
  } catch {
    return undefined;
  }
}
