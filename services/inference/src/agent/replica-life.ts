import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { type Clock, parseAddress, processIdentity } from "@aimass/core";
import type { ReplicaCommand } from "./replica-command.ts";
import type { ReplicaRecord } from "./replica-record.ts";

/** How a process ended; both undefined when that is not known, because another agent had started it. */
export interface LifeEnd {
  readonly code: number | null | undefined;
  readonly signal: NodeJS.Signals | null | undefined;
}

/** One run of a replica's process: one that this agent started, or one that it found. */
export interface ReplicaLife {
  readonly pid: number | undefined;
  /** Resolves when it listens; stays pending when it ends before. */
  readonly ready: Promise<void>;
  readonly ended: Promise<LifeEnd>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts a process of its own group, which outlives the agent. Its output goes where the agent's goes. */
export function startLife(
  command: ReplicaCommand,
  env: Readonly<Record<string, string>>,
  onError: (error: Error) => void,
): ReplicaLife {
  const child: ChildProcess = spawn(command.file, command.arguments, {
    env: { ...env, ...command.env },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    detached: true,
  });
  child.once("error", onError);
  return {
    pid: child.pid,
    ready: new Promise((resolve) => child.once("message", () => resolve())),
    ended: new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal }))),
    kill: (signal) => void child.kill(signal),
  };
}

/** How often a process that is not our child is looked at, in milliseconds: nothing tells us of its end. */
const lookMs = 500;

/** Takes over a process that an earlier agent started. */
export function adoptLife(record: ReplicaRecord, clock: Clock): ReplicaLife {
  let hasEnded = false;
  const lives = async () => (await processIdentity(record.pid)) === record.identity;
  const untilEnd = async (): Promise<LifeEnd> => {
    while (await lives()) await clock.sleep(lookMs);
    hasEnded = true;
    return { code: undefined, signal: undefined };
  };
  const untilReady = async (): Promise<void> => {
    while (!hasEnded && !(await answers(record.listen))) await clock.sleep(lookMs);
  };
  return {
    pid: record.pid,
    ready: untilReady(),
    ended: untilEnd(),
    kill(signal) {
      try {
        process.kill(record.pid, signal);
      } catch {
        // It has ended just now.
      }
    },
  };
}

/** Whether somebody listens there. */
function answers(address: string): Promise<boolean> {
  const parsed = parseAddress(address);
  if (parsed === undefined) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = connect(parsed.port, parsed.host);
    socket.once("connect", () => socket.end(() => resolve(true)));
    socket.once("error", () => resolve(false));
  });
}
