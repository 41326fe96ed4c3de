import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeClock, type TempDirectory, tempDirectory } from "@aimass/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LogFile } from "./log-file.ts";

let directory: TempDirectory;
let clock: FakeClock;
let troubles: string[];

beforeEach(async () => {
  directory = await tempDirectory();
  clock = new FakeClock();
  troubles = [];
});

afterEach(async () => {
  await directory[Symbol.asyncDispose]();
});

const open = (path: string, rotateAtBytes?: number) =>
  new LogFile({ path, clock, onTrouble: (message) => troubles.push(message), ...(rotateAtBytes && { rotateAtBytes }) });

describe("a log file", () => {
  it("drops, counts and tells once what cannot be written, and goes on when it can", async () => {
    const folder = join(directory.path, "gone");
    const log = open(join(folder, "a.log"));
    log.write("one\n");
    log.write("two\nthree\n");
    expect(troubles).toEqual([expect.stringContaining("takes no more lines (ENOENT)")]);
    mkdirSync(folder);
    log.write("four\n");
    expect(existsSync(join(folder, "a.log"))).toBe(false);
    await clock.advance(1000);
    log.write("five\n");
    expect(readFileSync(join(folder, "a.log"), "utf8")).toBe(
      "--- 4 lines are missing here: the disk took none ---\nfive\n",
    );
    expect(troubles).toHaveLength(1);
  });

  it("sets aside what has grown large, while it is written", () => {
    const path = join(directory.path, "b.log");
    const log = open(path, 10);
    for (const line of ["first line\n", "second\n", "third\n"]) log.write(line);
    log.close();
    log.write("late\n");
    expect(readFileSync(`${path}.1`, "utf8")).toBe("first line\n");
    expect(readFileSync(path, "utf8")).toBe("second\nthird\n");
  });

  it.runIf(process.platform === "linux" && process.getuid?.() === 0 && canMount())(
    "on a full disk costs lines, and nothing else",
    async () => {
      const disk = join(directory.path, "disk");
      mkdirSync(disk);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]);
      try {
        const log = open(join(disk, "c.log"));
        log.write("before\n");
        writeFileSync(join(disk, "filler"), Buffer.alloc(statfsSync(disk).bavail * statfsSync(disk).bsize));
        for (let n = 0; n < 200; n += 1) log.write(`${"x".repeat(99)}\n`);
        expect(troubles).toEqual([expect.stringContaining("ENOSPC")]);
        rmSync(join(disk, "filler"));
        await clock.advance(1000);
        log.write("after\n");
        expect(readFileSync(join(disk, "c.log"), "utf8")).toMatch(
          /^before\n[x\n]*--- \d+ lines are missing here.*\nafter\n$/s,
        );
        log.close();
      } finally {
        execFileSync("umount", [disk]);
      }
    },
  );
});

/** Some containers keep root from mounting. */
function canMount(): boolean {
  try {
    execFileSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
