import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answerOf, type ProcessBounds, type ProcessOutcome } from "./disposable-process.ts";

const ample: ProcessBounds = { timeoutMs: 60_000, memoryLimitBytes: 2 ** 40, memoryCheckMs: 50 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "aimass-disposable-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function start(name: string, code: string): Promise<ChildProcess> {
  const main = join(folder, `${name}.mjs`);
  await writeFile(main, code);
  return fork(main, { serialization: "advanced", stdio: ["ignore", "ignore", "ignore", "ipc"] });
}

async function run(name: string, code: string, bounds = ample, signal?: AbortSignal): Promise<ProcessOutcome<number>> {
  return answerOf(await start(name, code), (message) => (message as Uint8Array).length, bounds, signal);
}

const idle = "setInterval(() => {}, 1000);";

describe("a disposable process", () => {
  it("that ends right after its answer has answered, however busy we are", async () => {
    const reply = "process.send(new Uint8Array(300_000), undefined, undefined, () => process.exit(0));";
    const busy = setInterval(() => {
      const until = performance.now() + 15;
      while (performance.now() < until);
    }, 20);
    const outcomes: ProcessOutcome<number>[] = [];
    for (let round = 0; round < 15; round++) {
      outcomes.push(...(await Promise.all(Array.from({ length: 6 }, () => run("reply", reply)))));
    }
    clearInterval(busy);
    expect(outcomes.filter(({ kind }) => kind !== "answered")).toEqual([]);
  });

  it("that ends without an answer tells how", async () => {
    expect(await run("status", "process.exit(7)")).toEqual({ kind: "ended", status: 7, signal: null });
    const killed = "process.kill(process.pid, 'SIGSEGV');";
    expect(await run("killed", killed + idle)).toEqual({ kind: "ended", status: null, signal: "SIGSEGV" });
  });

  it("is killed when it takes too long or too much, or is no longer wanted", async () => {
    const processes = await Promise.all([start("slow", idle), start("large", idle), start("unwanted", idle)]);
    const [slow, large, unwanted] = processes as [ChildProcess, ChildProcess, ChildProcess];
    expect(await answerOf(slow, () => undefined, { ...ample, timeoutMs: 50 })).toEqual({ kind: "too slow" });
    expect(await answerOf(large, () => undefined, { ...ample, memoryLimitBytes: 1 })).toEqual({ kind: "too large" });
    const signal = AbortSignal.abort(new Error("no longer wanted"));
    await expect(answerOf(unwanted, () => undefined, ample, signal)).rejects.toThrow("no longer wanted");
    await expect.poll(() => processes.map(({ signalCode }) => signalCode)).toEqual(["SIGKILL", "SIGKILL", "SIGKILL"]);
  });

  it("whose message cannot be understood fails with that", async () => {
    const bad = () => {
      throw new Error("no sense");
    };
    await expect(answerOf(await start("bad", `process.send(1);${idle}`), bad, ample)).rejects.toThrow("no sense");
  });
});
