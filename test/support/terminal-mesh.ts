import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childProcessesOf } from "@aimass/cli";
import { tinyModel } from "@aimass/onnx/samples";
import { waitFor } from "@aimass/testkit";
import { afterAll, beforeAll, expect } from "vitest";
import { Command, type CommandResult } from "./command.ts";

/** One run of `aimass up`. */
interface RunningMesh {
  readonly launcher: ChildProcess;
  /** Process id of the supervisor, which the launcher started. */
  readonly supervisor: number;
  readonly url: string;
  /** The addresses it says that others can reach. */
  readonly listeners: readonly string[];
  /** Where it says that the administrator's password is. */
  readonly passwordFile: string;
  /** Resolves with the exit status. */
  readonly ended: Promise<number | null>;
}

/** `aimass up` as a user has it in a terminal, and the commands that the user types there, in a folder of their own. */
export class TerminalMesh implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "aimass-test-"));
  readonly data = join(this.folder, "data");
  #up: RunningMesh | undefined;
  #aimass: Command | undefined;

  /** Starts `aimass up`, once more after it ended. */
  async start(): Promise<void> {
    this.#up = await startMesh(this.folder, this.data);
    this.#aimass = new Command({ AIMASS_SERVER: this.#up.url, XDG_CONFIG_HOME: this.file("config") });
  }

  /** The command of the user, which knows where the mesh answers. */
  get aimass(): Command {
    return this.#aimass ?? expect.fail("the mesh was not started");
  }

  /** The run that was started last. */
  get up(): RunningMesh {
    return this.#up ?? expect.fail("the mesh was not started");
  }

  readonly file = (name: string): string => join(this.folder, name);

  readonly adminPassword = (): string => join(this.data, "auth", "admin-password");

  /** Signs the administrator in. */
  readonly signIn = async (): Promise<void> => {
    await this.words("login", "--password-file", this.adminPassword());
  };

  /** Runs a command that must succeed; with `--json` its output must be one JSON value. */
  readonly json = async <T = Record<string, unknown>>(...args: string[]): Promise<T> =>
    JSON.parse((await this.#succeeded(...args, "--json")).stdout) as T;

  /** Runs a command that must succeed, and gives the words for people. */
  readonly words = async (...args: string[]): Promise<string> => {
    const result = await this.#succeeded(...args);
    expect(`${result.stdout}${result.stderr}`).not.toMatch(/undefined|\[object|NaN/);
    return result.stdout;
  };

  async #succeeded(...args: string[]): Promise<CommandResult> {
    const result = await this.aimass.run(...args);
    if (result.status !== 0) expect.fail(`aimass ${args.join(" ")}: ${result.stdout}${result.stderr}`);
    return result;
  }

  /** Every process of the mesh: its descendants, and on Linux whatever names its data directory. */
  processes(): number[] {
    const found = new Set<number>();
    const add = (pid: number) => {
      found.add(pid);
      for (const child of childProcessesOf(pid)) add(child.pid);
    };
    add(this.up.launcher.pid ?? expect.fail());
    for (const pid of this.namingProcesses()) found.add(pid);
    return [...found];
  }

  /** On Linux, the processes that name its data directory. */
  namingProcesses(): number[] {
    if (!existsSync("/proc/self/environ")) return [];
    const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid);
    return pids.map(Number).filter((pid) => {
      try {
        return ["cmdline", "environ"].some((file) => readFileSync(`/proc/${pid}/${file}`, "utf8").includes(this.data));
      } catch {
        return false;
      }
    });
  }

  /** Fails unless these processes, and all that name its data directory, end in time. */
  async expectAllGone(pids: readonly number[], timeoutMs: number): Promise<void> {
    const left = () => [...pids, ...this.namingProcesses()].filter(isAlive);
    await waitFor(() => left().length === 0, { timeoutMs, intervalMs: 50, what: "every process to end" }).catch(() =>
      expect.fail(`still there: ${left().join(", ")}`),
    );
  }

  /** Presses Ctrl-C where it runs, waits for its end and removes the folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    const up = this.#up;
    if (up?.launcher.exitCode === null && up.launcher.signalCode === null) {
      process.kill(-(up.launcher.pid as number), "SIGINT");
      await up.ended;
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A mesh for the tests of a file, which ends with them. `prepare`: what they need in it; the file tiny.onnx is there. */
export function terminalMesh(prepare: (mesh: TerminalMesh) => Promise<unknown>): TerminalMesh {
  const mesh = new TerminalMesh();
  beforeAll(async () => {
    await mesh.start();
    writeFileSync(mesh.file("tiny.onnx"), tinyModel());
    await prepare(mesh);
  }, 120_000);
  afterAll(() => mesh[Symbol.asyncDispose](), 120_000);
  return mesh;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // What nobody has waited for yet is dead all the same.
    return !existsSync(`/proc/${pid}/stat`) || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

async function startMesh(folder: string, data: string): Promise<RunningMesh> {
  const command = new Command({ XDG_CONFIG_HOME: join(folder, "nobody") });
  const launcher = command.start([
    "up",
    "--data",
    data,
    "--port",
    "0",
    "--replicas",
    "1",
    "--no-triton-ports",
    "--json",
  ]);
  const ended = new Promise<number | null>((resolve) => launcher.once("close", resolve));
  let words = "";
  launcher.stderr?.on("data", (chunk: Buffer) => {
    words += chunk;
  });
  const said = await new Promise<Pick<RunningMesh, "url" | "listeners" | "passwordFile">>((resolve, reject) => {
    let text = "";
    launcher.stdout?.on("data", (chunk: Buffer) => {
      text += chunk;
      if (text.includes("}")) resolve(JSON.parse(text));
    });
    ended.then((status) => reject(new Error(`aimass up ended with ${status}: ${text}${words}`)));
  });
  const [child] = childProcessesOf(launcher.pid ?? expect.fail());
  return { launcher, supervisor: child?.pid ?? expect.fail(), ...said, ended };
}
