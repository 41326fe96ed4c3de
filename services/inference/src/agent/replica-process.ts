import { Backoff, type Clock, exitUsage, processIdentity } from "@aimass/core";
import type { Logger } from "@aimass/telemetry";
import { blamedVersions, oomKills } from "../crashes/blame.ts";
import { readCrashNote } from "../crashes/crash-note.ts";
import type { VersionName } from "../servables/version-name.ts";
import type { ReplicaCommand } from "./replica-command.ts";
import { adoptLife, type LifeEnd, type ReplicaLife, startLife } from "./replica-life.ts";
import { fingerprintOf, type ReplicaRecord, writeRecord } from "./replica-record.ts";

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

export interface ReplicaProcessOptions {
  readonly id: string;
  readonly command: ReplicaCommand;
  /** Of the process, beside what the command sets. */
  readonly env: Readonly<Record<string, string>>;
  /** Where it listens, "host:port"; the same over restarts. */
  readonly listen: string;
  /** Holds its record. */
  readonly folder: string;
  readonly notePath: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onDeath: (death: ReplicaDeath) => void;
}

/** Keeps one replica process alive: started again at once when it dies, after growing waits when it dies soon after its start. */
export class ReplicaProcess {
  readonly id: string;
  readonly #options: ReplicaProcessOptions;
  readonly #backoff = new Backoff({ initialMs: 250, maxMs: 10_000 });
  #life: ReplicaLife | undefined;
  #startedAt = 0;
  #oomKillsBefore = 0;
  #quickDeaths = 0;
  #isReady = false;
  #isStopping = false;
  #exited: Promise<void> = Promise.resolve();
  #retry: Disposable | undefined;

  constructor(options: ReplicaProcessOptions) {
    this.id = options.id;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#life?.pid;
  }

  /** True from the process's word that it listens until its end. */
  get isReady(): boolean {
    return this.#isReady;
  }

  start(): void {
    if (this.#isStopping) return;
    const { command, env, listen, log } = this.#options;
    const life = startLife(command, { ...env, AIMASS_LISTEN: listen }, (error) =>
      log.error("a replica could not be started", { replica: this.id, error }),
    );
    this.#follow(life);
    this.#keepRecord(life.pid).catch((error: unknown) =>
      log.warn("a replica's process could not be written down; another agent will not find it", {
        replica: this.id,
        error,
      }),
    );
  }

  /** Goes on with a process that an earlier agent started. */
  adopt(record: ReplicaRecord): void {
    this.#options.log.info("a replica of an earlier agent goes on", { replica: this.id, pid: record.pid });
    this.#follow(adoptLife(record, this.#options.clock));
  }

  /** Lets the process drain for `graceMs` and ends it for good. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#retry?.[Symbol.dispose]();
    const life = this.#life;
    if (life === undefined) return;
    life.kill("SIGTERM");
    const kill = setTimeout(() => life.kill("SIGKILL"), graceMs + 3000);
    await this.#exited;
    clearTimeout(kill);
  }

  #follow(life: ReplicaLife): void {
    this.#life = life;
    this.#startedAt = this.#options.clock.monotonic();
    this.#oomKillsBefore = oomKills();
    life.ready.then(() => {
      if (this.#life === life) this.#isReady = true;
    });
    this.#exited = life.ended.then((end) => {
      this.#life = undefined;
      this.#isReady = false;
      if (!this.#isStopping) this.#ended(end);
    });
  }

  async #keepRecord(pid: number | undefined): Promise<void> {
    const identity = pid === undefined ? undefined : await processIdentity(pid);
    if (pid === undefined || identity === undefined) return;
    const { command, env, listen, folder } = this.#options;
    writeRecord(folder, { replicaId: this.id, pid, identity, listen, fingerprint: fingerprintOf(command, env) });
  }

  #ended(end: LifeEnd): void {
    this.#reportDeath(end);
    const isSteady = this.#options.clock.monotonic() - this.#startedAt >= steadyMs;
    this.#quickDeaths = isSteady ? 0 : this.#quickDeaths + 1;
    if (isSteady) this.#backoff.reset();
    const isFirst = this.#quickDeaths <= 1 && end.code !== exitUsage;
    if (isFirst) this.start();
    else this.#retry = this.#options.clock.timer(this.#backoff.next(), () => this.start());
  }

  #reportDeath({ code, signal }: LifeEnd): void {
    const note = readCrashNote(this.#options.notePath);
    // How a process ended that was not our child nobody tells: it blames no more than a SIGKILL from outside.
    const known = signal === undefined ? "SIGKILL" : signal;
    const death = { signal: known, oomKillsBefore: this.#oomKillsBefore, oomKillsAfter: oomKills() };
    const running = blamedVersions(note, death);
    this.#options.log.warn("a replica died", { replica: this.id, code, signal, running: running.length });
    this.#options.onDeath({
      replicaId: this.id,
      incarnation: note?.incarnation ?? "",
      exitCode: code ?? -1,
      signal: signal ?? "",
      running,
      at: this.#options.clock.now(),
    });
  }
}
