import { type ChildProcess, fork } from "node:child_process";
import { AimassError, Backoff, type Clock, exitUsage } from "@aimass/core";
import type { LogFile } from "./log-file.ts";

/** A program the supervisor keeps running. */
export interface ProcessSpec {
  readonly name: string;
  /** Path of its main module. */
  readonly main: string;
  readonly env: Readonly<Record<string, string>>;
  readonly log: { readonly path: string; readonly file: LogFile };
}

/** How a supervised process is: `starting → ready ⇄ restarting → stopped`, or `failed` for good. */
export type ProcessState =
  | { readonly kind: "starting" }
  | {
      readonly kind: "ready";
      readonly pid: number;
      readonly addresses: Readonly<Record<string, string>>;
      readonly warnings: readonly string[];
    }
  | { readonly kind: "restarting"; readonly reason: string }
  | { readonly kind: "failed"; readonly error: AimassError }
  | { readonly kind: "stopped" };

/** Last lines shown when a start fails. */
const tailLines = 12;

/** Starts a process, restarts it when it dies, stops it when told. Its output goes to its log file. */
export class SupervisedProcess {
  readonly spec: ProcessSpec;
  readonly #clock: Clock;
  readonly #onState: (state: ProcessState) => void;
  readonly #backoff = new Backoff({ initialMs: 100, maxMs: 5000 });
  readonly #tail: string[] = [];
  #child: ChildProcess | undefined;
  #state: ProcessState = { kind: "starting" };
  #stopping = false;

  constructor(spec: ProcessSpec, clock: Clock, onState: (state: ProcessState) => void) {
    this.spec = spec;
    this.#clock = clock;
    this.#onState = onState;
    this.#spawn();
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** The process id while it runs. */
  get pid(): number | undefined {
    return this.#child?.exitCode === null ? this.#child.pid : undefined;
  }

  /** Sends a signal to the running process; for tests and `aimass` itself. */
  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Lets it drain for `graceMs`, then kills it. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      // A stopped process (SIGSTOP) cannot drain: let it go on, so that it can.
      child.kill("SIGCONT");
      using _timer = this.#clock.timer(graceMs + 3000, () => child.kill("SIGKILL"));
      await exited;
    }
    this.#enter({ kind: "stopped" });
    this.spec.log.file.close();
  }

  #spawn(): void {
    const child = fork(this.spec.main, [], {
      env: { ...this.spec.env },
      execArgv: ["--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // Its own group: Ctrl-C reaches the supervisor alone, which stops the others in order.
      detached: true,
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.spec.log.file.write(chunk);
        this.#tail.push(...chunk.toString("utf8").split("\n").filter(Boolean));
        this.#tail.splice(0, this.#tail.length - tailLines);
      });
    }
    child.on("message", (message: unknown) => {
      const { ready, warnings = [] } = message as { ready?: Record<string, string>; warnings?: readonly string[] };
      if (ready === undefined) return;
      this.#backoff.reset();
      this.#enter({ kind: "ready", pid: child.pid as number, addresses: ready, warnings });
    });
    child.once("exit", (code, signal) => this.#onExit(code, signal));
    child.once("error", () => this.#onExit(1, null));
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#stopping) return;
    const reason = signal === null ? `exited with status ${code}` : `was ended by ${signal}`;
    if (code === exitUsage) {
      this.#enter({ kind: "failed", error: this.failure(reason) });
      return;
    }
    this.#enter({ kind: "restarting", reason });
    this.#clock.sleep(this.#backoff.next()).then(() => {
      if (!this.#stopping) this.#spawn();
    });
  }

  /** Why it cannot go on, with the end of its log. */
  failure(reason: string): AimassError {
    const lines = this.#tail.map((line) => `  ${line}`).join("\n");
    return new AimassError("FAILED_PRECONDITION", `The ${this.spec.name} service ${reason}:\n${lines}`, {
      remedy: `Its whole log is ${this.spec.log.path}.`,
    });
  }

  #enter(state: ProcessState): void {
    this.#state = state;
    this.#onState(state);
  }
}
