import { type ChildProcess, spawn } from "node:child_process";
import { Backoff, type Clock, exitUsage } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import { blamedVersions, oomKills } from "../crashes/blame.ts";
import { readCrashNote } from "../crashes/crash-note.ts";
import type { VersionName } from "../servables/version-name.ts";
import type { ReplicaCommand } from "./replica-command.ts";

/** How a replica's process ended, when nobody asked it to. */
export interface ReplicaDeath {
  readonly replicaId: string;
  /** Empty when it died before it wrote its note. */
  readonly incarnation: string;
  /** -1 when a signal ended it. */
  readonly exitCode: number;
  readonly signal: string;
  /** Versions that may have brought it down. */
  readonly running: readonly VersionName[];
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A life this long counts as well: the next death is answered at once again. */
const steadyMs = 10_000;

/** Keeps one replica process alive: started again at once when it dies, after growing waits when it dies soon after its start. */
export class ReplicaProcess {
  readonly id: string;
  readonly #command: ReplicaCommand;
  readonly #env: Readonly<Record<string, string>>;
  readonly #notePath: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #onDeath: (death: ReplicaDeath) => void;
  readonly #backoff = new Backoff({ initialMs: 250, maxMs: 10_000 });
  #child: ChildProcess | undefined;
  #startedAt = 0;
  #oomKillsBefore = 0;
  #quickDeaths = 0;
  #isReady = false;
  #isStopping = false;
  #exited: Promise<void> = Promise.resolve();
  #retry: Disposable | undefined;

  constructor(options: {
    id: string;
    command: ReplicaCommand;
    /** Of the process, beside what the command sets. */
    env: Readonly<Record<string, string>>;
    notePath: string;
    clock: Clock;
    log: Logger;
    onDeath: (death: ReplicaDeath) => void;
  }) {
    this.id = options.id;
    this.#command = options.command;
    this.#env = options.env;
    this.#notePath = options.notePath;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onDeath = options.onDeath;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** True from the process's word that it listens until its end. */
  get isReady(): boolean {
    return this.#isReady;
  }

  start(): void {
    if (this.#isStopping) return;
    const { file, arguments: args, env } = this.#command;
    const child = spawn(file, args, { env: { ...this.#env, ...env }, stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child = child;
    this.#startedAt = this.#clock.monotonic();
    this.#oomKillsBefore = oomKills();
    child.on("message", () => {
      this.#isReady = true;
    });
    child.once("error", (error) => this.#log.error("a replica could not be started", { replica: this.id, error }));
    this.#exited = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        resolve();
        this.#ended(code, signal);
      });
    });
  }

  /** Lets the process drain for `graceMs` and ends it for good. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#retry?.[Symbol.dispose]();
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), graceMs + 3000);
    await this.#exited;
    clearTimeout(kill);
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    this.#isReady = false;
    if (this.#isStopping) return;
    this.#reportDeath(code, signal);
    const isSteady = this.#clock.monotonic() - this.#startedAt >= steadyMs;
    this.#quickDeaths = isSteady ? 0 : this.#quickDeaths + 1;
    if (isSteady) this.#backoff.reset();
    const isFirst = this.#quickDeaths <= 1 && code !== exitUsage;
    if (isFirst) this.start();
    else this.#retry = this.#clock.timer(this.#backoff.next(), () => this.start());
  }

  #reportDeath(code: number | null, signal: NodeJS.Signals | null): void {
    const note = readCrashNote(this.#notePath);
    const death = { signal, oomKillsBefore: this.#oomKillsBefore, oomKillsAfter: oomKills() };
    const running = blamedVersions(note, death);
    this.#log.warn("a replica died", { replica: this.id, code, signal, running: running.length });
    this.#onDeath({
      replicaId: this.id,
      incarnation: note?.incarnation ?? "",
      exitCode: code ?? -1,
      signal: signal ?? "",
      running,
      at: this.#clock.now(),
    });
  }
}
