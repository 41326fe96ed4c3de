import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { freePort } from "@aimass/core";
import type { MortalServer } from "./postgres.ts";
import { findProgram } from "./programs.ts";
import { waitFor } from "./wait-for.ts";

/** Runs the program as a child, says its process id, and kills it when the pipe from us closes: a test process that dies takes its server along. */
const guard = `"$@" </dev/null >/dev/null 2>&1 & echo $!; read -r word; kill -KILL $! 2>/dev/null; wait`;

/** A nats-server with JetStream in a directory of its own, on loopback; undefined when this machine has no nats-server. */
export async function startNats(): Promise<MortalServer | undefined> {
  const program = findProgram("nats-server");
  if (program === undefined) return undefined;
  const directory = await mkdtemp(join(tmpdir(), "aimass-test-nats-"));
  const port = await freePort();
  const run = () => runNats(program, port, directory);
  let running: RunningNats | undefined = await run();
  return {
    url: `nats://127.0.0.1:${port}`,
    async kill() {
      await running?.kill();
      running = undefined;
    },
    async revive() {
      running ??= await run();
    },
    async [Symbol.asyncDispose]() {
      await running?.kill();
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

interface RunningNats {
  kill(): Promise<void>;
}

async function runNats(program: string, port: number, directory: string): Promise<RunningNats> {
  const command = [program, "-a", "127.0.0.1", "-p", String(port), "-js", "-sd", directory];
  const shell = spawn("/bin/sh", ["-c", guard, "aimass-nats-guard", ...command], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = new Promise<void>((resolve) => shell.on("close", () => resolve()));
  const pid = await firstLine(shell);
  await waitFor(() => answers(port), { timeoutMs: 10_000, what: `nats-server on port ${port}` });
  return {
    async kill() {
      process.kill(Number(pid), "SIGKILL");
      shell.stdin.end();
      await ended;
    },
  };
}

function firstLine(shell: ChildProcessByStdio<Writable, Readable, null>): Promise<string> {
  return new Promise((resolve, reject) => {
    shell.on("error", reject);
    shell.stdout.once("data", (chunk) => resolve(String(chunk).trim()));
  });
}

/** A nats-server greets with INFO. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", (chunk) => done(String(chunk).startsWith("INFO")));
    socket.once("error", () => done(false));
  });
}
