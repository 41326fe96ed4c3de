import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDirectory } from "@aimass/testkit";
import { expect, it } from "vitest";
import { processLockHolder, takeProcessLock } from "./process-lock.ts";

it("a lock file is held by one of many who want it at once, until it is let go", async () => {
  await using directory = await tempDirectory();
  const file = join(directory.path, "lock");
  const results = await Promise.all(Array.from({ length: 10 }, () => takeProcessLock(file)));
  const taken = results.filter((result) => result.kind === "taken");
  expect(taken).toHaveLength(1);
  expect(await processLockHolder(file)).toBe(process.pid);
  await taken[0]?.lock.release();
  expect((await takeProcessLock(file)).kind).toBe("taken");
});

it("a lock file whose number is now that of a stranger is taken over, and one that says nothing too", async () => {
  await using directory = await tempDirectory();
  const file = join(directory.path, "lock");
  const stranger = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"]);
  try {
    for (const content of [`${stranger.pid}`, `${stranger.pid} 12345 somebody\n`, "", "nonsense"]) {
      await writeFile(file, content);
      expect(await processLockHolder(file)).toBeUndefined();
      expect((await takeProcessLock(file)).kind).toBe("taken");
      expect(await readFile(file, "utf8")).toMatch(new RegExp(`^${process.pid} `));
    }
  } finally {
    stranger.kill("SIGKILL");
    await once(stranger, "exit");
  }
});
