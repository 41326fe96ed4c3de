import { Worker } from "node:worker_threads";
import { AimassError } from "@aimass/core";
import { cleanRuntimeMessage, type RowVerdict } from "@aimass/onnx";
import type { PackedTensors } from "../batching/packed-tensors.ts";
import { encodeRecord } from "../crashes/crash-note.ts";
import { type VersionName, versionKey } from "../servables/version-name.ts";
import type { SessionOptions } from "./open-model.ts";
import type { Probe } from "./probe-run.ts";
import { RunTickets } from "./run-tickets.ts";
import { type SlotReply, type SlotRequest, type SlotStart, transferFromBytes } from "./slot-messages.ts";

/** A session held by a slot. */
export interface SlotSession {
  readonly slot: Slot;
  readonly id: number;
  readonly version: VersionName;
  /** A single run may take this long, in milliseconds. */
  readonly runLimitMs: number;
  /** Whether the graph keeps rows apart, where that was asked. */
  readonly rows?: RowVerdict;
}

/** What a run gave. */
export interface RunResult {
  readonly outputs: PackedTensors;
  /** Time on the slot's thread, in microseconds. */
  readonly micros: number;
}

/** A run that was handed to a slot. */
export interface SlotRun {
  /** Undefined for a run that was taken back. Rejects with INVALID_ARGUMENT and the runtime's words when the run fails. */
  readonly result: Promise<RunResult | undefined>;
  /** Takes the run back, so that it is never run; false when it has begun. */
  withdraw(): boolean;
}

interface Ask {
  readonly version: VersionName;
  readonly limitMs: number;
  /** 0 for what is no run. */
  readonly rows: number;
  readonly resolve: (reply: Extract<SlotReply, { ok: true }>) => void;
  readonly reject: (error: Error) => void;
}

/** Loading a session may take this long before the process counts as stuck, in milliseconds. */
const loadLimitMs = 600_000;

let nextSession = 1;

/** The main thread's hold on a slot: a thread with sessions of any number of versions, which does one thing at a time. */
export class Slot {
  readonly record: number;
  readonly #worker: Worker;
  readonly #onBusy: () => void;
  readonly #asks = new Map<number, Ask>();
  readonly #ended: Promise<void>;
  readonly #tickets = new RunTickets();
  #nextAsk = 1;
  #headSince = 0;
  #sessions = 0;
  #stopping = false;
  #held = 0;

  /** `record` is the slot's record in the crash note; `onDied` hears of an end nobody asked for, `onBusy` each time that it gets something to do and had nothing. */
  constructor(options: {
    notePath: string;
    record: number;
    onDied: (error: Error) => void;
    onBusy?: () => void;
  }) {
    this.#onBusy = options.onBusy ?? (() => {});
    this.record = options.record;
    const start: SlotStart = { notePath: options.notePath, noteRecord: options.record, tickets: this.#tickets.memory };
    this.#worker = new Worker(new URL("./slot-worker.ts", import.meta.url), { workerData: start });
    this.#worker.on("message", (reply: SlotReply) => this.#settle(reply));
    this.#worker.on("error", (error) =>
      this.#die(error instanceof Error ? error : new Error(String(error)), options.onDied),
    );
    this.#ended = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        if (!this.#stopping) this.#die(new Error("A slot's thread ended."), options.onDied);
        resolve();
      });
    });
  }

  /** Loads and runs that wait here or are under way, and runs that are made ready for it. */
  get outstanding(): number {
    return this.#asks.size + this.#held;
  }

  get sessions(): number {
    return this.#sessions;
  }

  /** The version that has been busy for longer than it may, if there is one. `now` is monotonic milliseconds. */
  stuck(now: number): VersionName | undefined {
    const head = this.#asks.values().next().value;
    return head !== undefined && now - this.#headSince > head.limitMs ? head.version : undefined;
  }

  /** Makes a session. Rejects with FAILED_PRECONDITION and the runtime's words. */
  async load(version: VersionName, options: SessionOptions, runLimitMs: number): Promise<SlotSession> {
    const session = { slot: this, id: nextSession++, version, runLimitMs };
    this.#sessions += 1;
    try {
      const ask = {
        kind: "load",
        id: this.#nextAsk++,
        session: session.id,
        options,
        note: encodeRecord(version),
      } as const;
      const { rows } = await this.#ask(ask, { version, limitMs: loadLimitMs, rows: 0 });
      return rows === undefined ? session : { ...session, rows };
    } catch (error) {
      this.#sessions -= 1;
      throw error;
    }
  }

  /** Rows of the run under way for `version` when it is all this slot has to do; 0 otherwise. */
  soleRunRows(version: VersionName): number {
    const head = this.#asks.size === 1 ? this.#asks.values().next().value : undefined;
    return head?.version === version ? head.rows : 0;
  }

  /** Keeps a place for a run while its inputs are made ready. */
  async hold<T>(making: Promise<T>): Promise<T> {
    this.#held += 1;
    try {
      return await making;
    } finally {
      this.#held -= 1;
    }
  }

  /** Puts a run of a session on `rows` rows on the thread's list; the inputs' buffer is given away. */
  run(session: SlotSession, inputs: PackedTensors, rows: number): SlotRun {
    const { buffer, tensors } = inputs;
    const ticket = this.#tickets.take();
    const ask = { kind: "run", id: this.#nextAsk++, session: session.id, ticket, buffer, tensors } as const;
    const transfer = buffer.byteLength >= transferFromBytes ? [buffer] : [];
    const facts = { version: session.version, limitMs: session.runLimitMs, rows };
    const result = this.#ask(ask, facts, transfer)
      .finally(() => this.#tickets.giveBack(ticket))
      .then(({ outputs, micros }) => (outputs === undefined ? undefined : { outputs, micros }));
    return { result, withdraw: () => this.#tickets.withdraw(ticket) };
  }

  /** Runs a session on inputs that its thread makes. Returns the digest when the probe asks for it. Rejects like a run. */
  async probe(session: SlotSession, probe: Probe): Promise<Uint8Array> {
    const ask = { kind: "probe", id: this.#nextAsk++, session: session.id, probe } as const;
    const facts = { version: session.version, limitMs: loadLimitMs, rows: probe.rows };
    return (await this.#ask(ask, facts)).digest ?? new Uint8Array();
  }

  /** Frees a session's memory. */
  async release(session: SlotSession): Promise<void> {
    const ask = { kind: "release", id: this.#nextAsk++, session: session.id } as const;
    await this.#ask(ask, { version: session.version, limitMs: loadLimitMs, rows: 0 });
    this.#sessions -= 1;
  }

  /** Ends the thread after what it has to do. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#worker.postMessage({ kind: "stop" } satisfies SlotRequest);
    await this.#ended;
  }

  #ask(
    message: Exclude<SlotRequest, { kind: "stop" }>,
    facts: Pick<Ask, "version" | "limitMs" | "rows">,
    transfer: ArrayBuffer[] = [],
  ) {
    return new Promise<Extract<SlotReply, { ok: true }>>((resolve, reject) => {
      const wasIdle = this.#asks.size === 0;
      if (wasIdle) this.#headSince = performance.now();
      this.#asks.set(message.id, { ...facts, resolve, reject });
      if (wasIdle) this.#onBusy();
      this.#worker.postMessage(message, transfer);
    });
  }

  #settle(reply: SlotReply): void {
    const ask = this.#asks.get(reply.id) as Ask;
    this.#asks.delete(reply.id);
    this.#headSince = performance.now();
    if (reply.ok) ask.resolve(reply);
    else ask.reject(ask.rows > 0 ? runError(ask.version, reply.message) : loadError(ask.version, reply.message));
  }

  #die(error: Error, onDied: (error: Error) => void): void {
    for (const ask of this.#asks.values())
      ask.reject(new AimassError("UNAVAILABLE", "The replica is restarting.", { cause: error }));
    this.#asks.clear();
    onDied(error);
  }
}

function runError(version: VersionName, message: string): AimassError {
  return new AimassError(
    "INVALID_ARGUMENT",
    `${versionKey(version)} could not run on this input: ${cleanRuntimeMessage(message)}`,
    {
      reason: "RUN_FAILED",
      remedy: "Check the values and the dynamic axes of the inputs against what the model expects.",
    },
  );
}

function loadError(version: VersionName, message: string): AimassError {
  return new AimassError(
    "FAILED_PRECONDITION",
    `${versionKey(version)} could not be loaded: ${cleanRuntimeMessage(message)}`,
    { reason: "LOAD_FAILED" },
  );
}
