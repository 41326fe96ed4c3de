import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Clock, type Environment, PushStream } from "@aimass/core";
import type { RunMessage, WorkerMessage } from "./worker-message.ts";

/** How a worker ended. */
export interface WorkerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running worker. */
export interface WorkerProcess {
  readonly pid: number;
  /** What it tells; ends when it does. */
  readonly messages: AsyncIterable<WorkerMessage>;
  readonly exited: Promise<WorkerExit>;
  /** SIGTERM, and SIGKILL a second later, to it and everything it started. Resolves when it is gone. */
  kill(): Promise<void>;
}

export interface WorkerOptions {
  /** Heap limit of the process, in MiB. */
  readonly memoryMb: number;
  readonly env: Environment;
  readonly clock: Clock;
  /** What the process runs. Default: worker-main.ts. */
  readonly workerFile?: string | undefined;
}

const workerMain = fileURLToPath(new URL("./worker-main.ts", import.meta.url));
const killAfterMs = 1000;
const messageLimit = 20_000;
/** What a worker inherits: enough to run and to speak, none of the service's secrets. */
const inherited = [
  "PATH",
  "HOME",
  "TMPDIR",
  "LANG",
  "LOG",
  "LOG_FORMAT",
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "AIMASS_TRACE_SAMPLE",
];

/** Starts a worker for one job, in a process group of its own, and tells it what to do. */
export function startWorker(run: RunMessage, options: WorkerOptions): WorkerProcess {
  const { memoryMb, env, clock, workerFile = workerMain } = options;
  const child = fork(workerFile, [], {
    detached: true,
    serialization: "advanced",
    execArgv: [`--max-old-space-size=${memoryMb}`],
    env: Object.fromEntries(inherited.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]))),
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const messages = new PushStream<WorkerMessage>(messageLimit);
  child.on("message", (message) => messages.push(message as WorkerMessage));
  const exited = new Promise<WorkerExit>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null) => {
      messages.end();
      signalGroup(child, "SIGKILL");
      resolve({ code, signal });
    };
    // "exit" may come before the last message was read; "close" comes after.
    child.once("close", end);
    child.once("error", () => end(null, null));
  });
  child.send(run, () => {});
  return {
    pid: child.pid ?? 0,
    messages,
    exited,
    async kill() {
      signalGroup(child, "SIGTERM");
      using _timer = clock.timer(killAfterMs, () => signalGroup(child, "SIGKILL"));
      await exited;
    },
  };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It is gone.
  }
}
