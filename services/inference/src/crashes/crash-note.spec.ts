import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blamedVersions } from "./blame.ts";
import {
  type CrashNote,
  clearedRecord,
  encodeRecord,
  endCrashNote,
  noteCulprit,
  readCrashNote,
  recordSize,
  startCrashNote,
} from "./crash-note.ts";

const fraud = { project: "default", model: "fraud", version: 3n };
const churn = { project: "default", model: "churn", version: 1n };

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "aimass-note-"));
  path = join(folder, "deeper", "running");
  startCrashNote(path, "life 1");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(record: number, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, "r+");
  await file.write(bytes, 0, bytes.length, record * recordSize);
}

describe("a crash note", () => {
  it("names what runs at the moment, each version once", async () => {
    expect(readCrashNote(path)).toMatchObject({ incarnation: "life 1", culprit: undefined, running: [] });
    await write(1, encodeRecord(fraud));
    await write(2, encodeRecord(churn));
    await write(4, encodeRecord(fraud));
    expect(readCrashNote(path)?.running).toEqual([fraud, churn]);
    await write(1, clearedRecord);
    await write(4, clearedRecord);
    expect(readCrashNote(path)?.running).toEqual([churn]);
  });

  it("names the culprit alone when there is one", async () => {
    await write(1, encodeRecord(fraud));
    noteCulprit(path, "life 1", churn);
    expect(readCrashNote(path)).toMatchObject({ incarnation: "life 1", culprit: churn, running: [churn] });
  });

  it("blames nothing when the process was told to end", async () => {
    await write(1, encodeRecord(fraud));
    endCrashNote(path, "life 1");
    expect(readCrashNote(path)).toMatchObject({ incarnation: "life 1", running: [] });
  });

  it("says nothing when there is none, or it was never begun", async () => {
    await writeFile(path, "");
    expect(readCrashNote(path)).toBeUndefined();
    await rm(path);
    expect(readCrashNote(path)).toBeUndefined();
  });

  it("passes over a record that was cut in the middle of its writing", async () => {
    await write(1, encodeRecord(fraud));
    await write(2, encodeRecord(churn));
    const bytes = await readFile(path);
    for (const end of [recordSize * 2 + 1, recordSize * 2 + 17, recordSize * 2]) {
      await writeFile(path, bytes.subarray(0, end));
      expect(readCrashNote(path)?.running).toEqual([fraud]);
    }
  });
});

describe("who is blamed for a death", () => {
  const note: CrashNote = { incarnation: "1", culprit: undefined, running: [fraud, churn], writtenAt: 0 };
  const stuck: CrashNote = { ...note, culprit: fraud, running: [fraud] };

  it.each([
    ["a fault in native code", note, "SIGSEGV", 0, [fraud, churn]],
    ["an end by itself", note, null, 0, [fraud, churn]],
    ["SIGKILL from outside", note, "SIGKILL", 0, []],
    ["SIGKILL by itself for a run that is stuck", stuck, "SIGKILL", 0, [fraud]],
    ["SIGKILL by the kernel for want of memory", note, "SIGKILL", 1, [fraud, churn]],
    ["an end before it could write a note", undefined, "SIGSEGV", 0, []],
  ] as const)("after %s", (_what, left, signal, kills, blamed) => {
    expect(blamedVersions(left, { signal, oomKillsBefore: 7, oomKillsAfter: 7 + kills })).toEqual(blamed);
  });
});
