import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { VersionName } from "../servables/version-name.ts";

/**
 * The crash note: a file of fixed records that says what runs at this moment, so that whoever finds the process dead learns which versions were running.
 * Record 0 says whose note it is and, written by the main thread when it ends the process for a run that is stuck, which version was the culprit; each slot has a
 * record of its own, written before a run and cleared after it.
 */
export interface CrashNote {
  /** Which process of a replica wrote it. */
  readonly incarnation: string;
  /** The version whose run was stuck. */
  readonly culprit: VersionName | undefined;
  /** Versions that were running; the culprit alone when there is one. */
  readonly running: readonly VersionName[];
  /** When it was last written; milliseconds since the epoch. */
  readonly writtenAt: number;
}

export const recordSize = 512;

/** Overwrites the first byte of a record. */
export const clearedRecord: Uint8Array = new Uint8Array(1);

/** The record that names a version. */
export function encodeRecord(version: VersionName): Uint8Array {
  return record(named(version));
}

/** Records a note has room for from its start on, so that a disk that fills up later takes what is written over them. */
const preparedRecords = 64;

/** Starts an empty note, and the folder it lies in. A full disk costs the note: false, and nobody will be blamed. */
export function startCrashNote(path: string, incarnation: string): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const bytes = Buffer.alloc(preparedRecords * recordSize);
    bytes.set(record({ incarnation }));
    const file = openSync(path, "w", 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    } finally {
      closeSync(file);
    }
    return true;
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    return false;
  }
}

/** Writes into a note that is open; what a full disk does not take is left out. */
export function writeRecord(file: number, bytes: Uint8Array, position: number): void {
  try {
    writeSync(file, bytes, 0, bytes.length, position);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
  }
}

function isDiskFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");
}

/** Names the version whose run is stuck, just before the process ends itself. */
export function noteCulprit(path: string, incarnation: string, culprit: VersionName): void {
  const file = openSync(path, "r+");
  writeRecord(file, record({ incarnation, culprit: named(culprit) }), 0);
  closeSync(file);
}

/** Says that the process ends because it was told to: whatever still runs is not blamed. */
export function endCrashNote(path: string, incarnation: string): void {
  const file = openSync(path, "r+");
  writeRecord(file, record({ incarnation, isEnded: true }), 0);
  closeSync(file);
}

/** What a process left when it died; undefined when there is no note. */
export function readCrashNote(path: string): CrashNote | undefined {
  let bytes: Buffer;
  let writtenAt: number;
  try {
    bytes = readFileSync(path);
    writtenAt = Math.round(statSync(path).mtimeMs);
  } catch {
    return undefined;
  }
  const head = parse(bytes.subarray(0, recordSize));
  if (typeof head?.incarnation !== "string") return undefined;
  const { incarnation } = head;
  const culprit = versionOf(head.culprit);
  if (culprit !== undefined) return { incarnation, culprit, running: [culprit], writtenAt };
  if (head.isEnded === true) return { incarnation, culprit, running: [], writtenAt };
  const byKey = new Map<string, VersionName>();
  for (let at = recordSize; at < bytes.length; at += recordSize) {
    const version = versionOf(parse(bytes.subarray(at, at + recordSize)));
    if (version !== undefined) byKey.set(`${version.project}.${version.model}/${version.version}`, version);
  }
  return { incarnation, culprit, running: [...byKey.values()], writtenAt };
}

function named({ project, model, version }: VersionName) {
  return { project, model, version: String(version) };
}

function record(content: object): Uint8Array {
  const bytes = Buffer.alloc(recordSize);
  bytes.write(JSON.stringify(content), 0, recordSize - 1);
  return bytes;
}

/** What a record says; undefined for one that is cleared or was being written. */
function parse(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  if (bytes.length === 0 || bytes[0] === 0) return undefined;
  const end = bytes.indexOf(0);
  try {
    return JSON.parse(bytes.toString("utf8", 0, end < 0 ? bytes.length : end));
  } catch {
    return undefined;
  }
}

function versionOf(content: unknown): VersionName | undefined {
  const { project, model, version } = (content ?? {}) as Record<string, unknown>;
  if (typeof project !== "string" || typeof model !== "string" || !/^\d+$/.test(String(version))) return undefined;
  return { project, model, version: BigInt(String(version)) };
}
