import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { abortError, type Clock, residentBytes } from "@aimass/core";
import type { RunOutcome } from "./run-search.ts";
import type { TrialRun } from "./trial.ts";
import type { FromTrial, ToTrial, TrialSetup } from "./trial-message.ts";

const trialMain = fileURLToPath(new URL("./trial-main.ts", import.meta.url));
/** How often a running process's memory is looked at. */
const watchEveryMs = 250;
const mebibyte = 2 ** 20;

export interface TrialProcessOptions {
  readonly setup: TrialSetup;
  /** MiB of memory the process may take, all in all. More ends it. */
  readonly memoryMb: number;
  readonly clock: Clock;
}

/** A process that scores one run at a time. What happens to it happens to its run alone. */
export class TrialProcess {
  readonly #child: ChildProcess;
  readonly #memoryMb: number;
  readonly #clock: Clock;
  readonly #exited: Promise<void>;
  #isOver = false;
  #tookTooMuch = false;
  #onMessage: (message: FromTrial) => void = () => {};

  /** It stays in the process group of this one, so that whoever ends the group ends it too. */
  constructor({ setup, memoryMb, clock }: TrialProcessOptions) {
    this.#memoryMb = memoryMb;
    this.#clock = clock;
    this.#child = fork(trialMain, [], {
      serialization: "advanced",
      execArgv: [`--max-old-space-size=${memoryMb}`],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once("close", () => resolve());
      this.#child.once("error", () => resolve());
    });
    void this.#exited.then(() => {
      this.#isOver = true;
    });
    this.#child.on("message", (message) => this.#onMessage(message as FromTrial));
    this.#send({ kind: "setup", setup });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Rejects when the signal aborts, with the process ended; a process that dies is a run that failed. */
  async score(run: TrialRun, signal: AbortSignal, onFold: (done: number, folds: number) => void): Promise<RunOutcome> {
    const ended = Promise.withResolvers<RunOutcome>();
    this.#onMessage = (message) => {
      if (message.kind === "fold") onFold(message.done, message.folds);
      else ended.resolve(message);
    };
    const died = this.#exited.then((): RunOutcome => ({ kind: "failed", reason: this.#whyItDied() }));
    const onAbort = () => ended.reject(abortError(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    using _watch = this.#watchMemory();
    try {
      signal.throwIfAborted();
      this.#send({ kind: "score", run });
      return await Promise.race([ended.promise, died]);
    } catch (error) {
      await this.kill();
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  #send(message: ToTrial): void {
    // A process that is gone tells so by its end.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #watchMemory(): Disposable {
    let isOver = false;
    let timer: Disposable | undefined;
    const look = async () => {
      const bytes = await residentBytes(this.pid);
      if (isOver) return;
      if (bytes > this.#memoryMb * mebibyte) {
        this.#tookTooMuch = true;
        this.#child.kill("SIGKILL");
      } else timer = this.#clock.timer(watchEveryMs, () => void look());
    };
    timer = this.#clock.timer(watchEveryMs, () => void look());
    return {
      [Symbol.dispose]: () => {
        isOver = true;
        timer?.[Symbol.dispose]();
      },
    };
  }

  #whyItDied(): string {
    const { exitCode, signalCode } = this.#child;
    // V8 aborts when its heap is full: SIGABRT, or 134 through a shell.
    if (this.#tookTooMuch || signalCode === "SIGABRT" || exitCode === 134) {
      return `The trial needed more than ${this.#memoryMb} MiB of memory.`;
    }
    return `The trial's process ended by ${signalCode ?? `code ${exitCode}`}.`;
  }
}
