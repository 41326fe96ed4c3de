import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startCrashNote } from "../crashes/crash-note.ts";
import { SlotPool } from "./slot-pool.ts";

it("a version that wants more sessions than there are shared slots gets, and is booked for, one a slot", async () => {
  const directory = mkdtempSync(join(tmpdir(), "aimass-pool-"));
  const notePath = join(directory, "note");
  startCrashNote(notePath, "1");
  const pool = new SlotPool({ size: 2, notePath, onDied: () => {}, onStuck: () => {} });
  for (const wish of [
    { isApart: false, instances: 8 },
    { isApart: false, instances: 0 },
    { isApart: true, instances: 3 },
  ]) {
    const slots = pool.choose(wish);
    expect(slots.length).toBe(pool.sessionsOf(wish));
    expect(new Set(slots).size).toBe(slots.length);
  }
  expect(pool.sessionsOf({ isApart: false, instances: 8 })).toBe(2);
  await pool[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});
