import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const program = fileURLToPath(new URL("../../bin/aimass.js", import.meta.url));

/** Runs a command that prints much and needs no mesh. */
async function run(stdout: number | "pipe") {
  const child = spawn(process.execPath, [program, "completion", "bash"], { stdio: ["ignore", stdout, "pipe"] });
  // Whoever reads it goes before a word is written.
  child.stdout?.destroy();
  const [said, [status, signal]] = await Promise.all([
    text(child.stderr as NodeJS.ReadableStream),
    once(child, "exit"),
  ]);
  return { said, status, signal };
}

it("ends quietly when whoever reads its output has gone", async () => {
  expect(await run("pipe")).toEqual({ said: "", status: 0, signal: null });
});

it.runIf(existsSync("/dev/full"))("says so when there is no room for its output", async () => {
  const full = openSync("/dev/full", "w");
  try {
    const { said, status } = await run(full);
    expect(said).toBe("error: Standard output cannot be written (ENOSPC). Make room, or send it elsewhere.\n");
    expect(status).toBe(1);
  } finally {
    closeSync(full);
  }
});
