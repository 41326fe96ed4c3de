import { AimassError, type Clock } from "@aimass/core";
import type { Tensor } from "@aimass/oip";
import type { RowVerdict } from "@aimass/onnx";
import { packInTurns, unpack } from "../batching/packed-tensors.ts";
import { RequestQueue, type Waiting } from "../batching/request-queue.ts";
import { splitOutputs, unlikeRows } from "../batching/split-outputs.ts";
import { assertAffordable } from "../profiling/assert-affordable.ts";
import type { SlotRun, SlotSession } from "../slots/slot.ts";
import { givenUp, notLoaded, queueFull, queueTimeout } from "./refusals.ts";
import type { BatchingState, LoadFacts, ServableObserver, ServableState } from "./servable-state.ts";
import type { ServingPlan } from "./serving-plan.ts";
import type { ValidInputs } from "./validate-inputs.ts";
import { versionKey } from "./version-name.ts";
import { type BatchTimes, VersionStatistics } from "./version-statistics.ts";

/** What a request says of itself. */
export interface InferTerms {
  /** Monotonic milliseconds by which its run must have begun; Infinity for none. */
  readonly deadline: number;
  /** Who has a lower one goes first. */
  readonly priority: number;
  /** Aborts when whoever asked gives up. */
  readonly signal: AbortSignal;
}

interface Pending extends Waiting {
  readonly tensors: readonly Tensor[];
  readonly signal: AbortSignal;
  readonly onGivenUp: () => void;
  readonly enqueuedAt: number;
  readonly resolve: (outputs: readonly Tensor[]) => void;
  readonly reject: (error: AimassError) => void;
}

/** A batch on a slot's list. */
interface HandedBatch {
  readonly members: readonly Pending[];
  readonly run: SlotRun;
}

/** Batches a slot has at a time: one runs, one waits on the thread so that it never idles between them. */
const outstandingPerSlot = 2;

const nsPerMs = 1_000_000;

/** A model version on this replica: its queue, its sessions, its counts. */
export class Servable {
  readonly plan: ServingPlan;
  readonly key: string;
  readonly statistics = new VersionStatistics();
  state: ServableState = { kind: "fetching", reason: "" };
  facts: LoadFacts | undefined;
  /** Whether it may be put aside when others need its memory, to be brought back by its next request. */
  onDemand: boolean;
  readonly #clock: Clock;
  readonly #observer: ServableObserver;
  readonly #wake: (servable: Servable) => void;
  readonly #onDemanded: () => void;
  readonly #spareBytes: () => number;
  readonly #queue: RequestQueue<Pending>;
  readonly #handed = new Set<HandedBatch>();
  #running = 0;
  #batching: BatchingState;
  #onIdle: (() => void)[] = [];
  #onRunsDone: (() => void)[] = [];

  /** `wake` is told that there is something to run; `onDemanded` of a request for a servable on demand, which may have to be brought back. */
  constructor(
    plan: ServingPlan,
    options: {
      clock: Clock;
      observer: ServableObserver;
      onDemand: boolean;
      wake: (servable: Servable) => void;
      onDemanded: () => void;
      /** Memory that nobody has, in bytes. */
      spareBytes: () => number;
    },
  ) {
    this.plan = plan;
    this.key = versionKey(plan.name);
    this.#clock = options.clock;
    this.#observer = options.observer;
    this.onDemand = options.onDemand;
    this.#wake = options.wake;
    this.#onDemanded = options.onDemanded;
    this.#spareBytes = options.spareBytes;
    this.#queue = new RequestQueue(plan.queueLimit);
    this.#batching = { shared: plan.batching.kind === "shared", reason: plan.batching.reason };
  }

  /** Rows a batch may have here. */
  get maxBatchSize(): number {
    return this.facts?.maxBatchSize ?? this.plan.maxBatchSize;
  }

  /** Requests that wait for a run. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Requests that wait or run. */
  get pending(): number {
    return this.#queue.length + this.#running;
  }

  /** Whether it is in memory. */
  get isResident(): boolean {
    return this.facts !== undefined && this.facts.sessions.length > 0;
  }

  /** Memory it takes now, in bytes. */
  get memoryBytes(): number {
    return this.isResident ? (this.facts?.memoryBytes ?? 0) : 0;
  }

  get batching(): BatchingState {
    return this.#batching;
  }

  /** Whether its graph has to be looked at before its requests may share runs. */
  get awaitsVerdict(): boolean {
    return this.plan.batching.kind === "found out on load";
  }

  /** Takes what a look at the graph showed; once the graph has shown otherwise in a run, that holds. */
  judge(verdict: RowVerdict | undefined): void {
    if (verdict === undefined || !this.awaitsVerdict || this.facts !== undefined) return;
    this.#batching = { shared: verdict.proven, reason: verdict.reason };
  }

  /** Gives up its sessions, for the caller to free once `runsDone`. Requests wait from now on. */
  putAside(): readonly SlotSession[] {
    const { facts } = this;
    if (facts === undefined) return [];
    this.facts = { ...facts, sessions: [] };
    return facts.sessions;
  }

  /** Has sessions again, which took so long to make: what waits runs. */
  resume(sessions: readonly SlotSession[], openMicros: number): void {
    const { facts } = this;
    // The first of all loads is slow for other reasons than the model.
    if (facts !== undefined) this.facts = { ...facts, sessions, openMicros: Math.min(facts.openMicros, openMicros) };
    this.#wake(this);
  }

  /** Resolves once nothing runs; what waits may go on waiting. */
  runsDone(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRunsDone.push(resolve);
      this.#checkIdle();
    });
  }

  /** Asks to be brought back when requests wait. */
  demandAgain(): void {
    if (this.waiting > 0) this.#onDemanded();
  }

  /** Answers everything that waits with an error. */
  refuse(error: AimassError): void {
    for (const pending of this.#queue.remove(() => true)) this.#fail(pending, error);
    this.#checkIdle();
  }

  /**
   * Runs valid inputs, with others where that is possible, and gives all outputs in the model's order. What was given up or is past its deadline is not run,
   * wherever it waits; a run under way finishes.
   * Rejects with UNAVAILABLE (not ready here), RESOURCE_EXHAUSTED (queue full), DEADLINE_EXCEEDED (still waiting by then), CANCELLED (given up), INVALID_ARGUMENT
   * (the run failed, or has more rows than the replica can run at once).
   */
  infer(inputs: ValidInputs, { deadline, priority, signal }: InferTerms): Promise<readonly Tensor[]> {
    if (this.state.kind !== "ready") return Promise.reject(notLoaded(this.key, this.state));
    return new Promise((resolve, reject) => {
      const { tensors, samples } = inputs;
      if (samples > this.maxBatchSize) this.#assertAffordable(samples);
      const batchKey = this.#batching.shared ? inputs.batchKey : undefined;
      const enqueuedAt = this.#clock.monotonic();
      const terms = { deadline, priority, signal, onGivenUp: () => this.#giveUp(pending) };
      const pending: Pending = { tensors, samples, batchKey, ...terms, enqueuedAt, resolve, reject };
      if (signal.aborted) return this.#fail(pending, givenUp());
      if (!this.#queue.push(pending)) return reject(this.#full());
      signal.addEventListener("abort", pending.onGivenUp, { once: true });
      if (this.onDemand || !this.isResident) this.#onDemanded();
      this.#wake(this);
    });
  }

  /** Whether the next batch should wait for more requests, and until when (monotonic milliseconds); undefined to go now. */
  heldUntil(now: number): number | undefined {
    const head = this.#queue.peek();
    if (this.plan.batchDelayMs === 0 || head?.batchKey === undefined) return undefined;
    const until = Math.min(head.enqueuedAt + this.plan.batchDelayMs, head.deadline - this.plan.batchDelayMs);
    if (now >= until || this.#queue.readySamples(this.maxBatchSize) >= this.maxBatchSize) return undefined;
    return until;
  }

  /**
   * The session that can take a batch soonest; undefined when all have enough to do. A batch waits on the thread behind another of this version only when it is at
   * least as large: while the thread is busy anyway, requests do better to gather than to go off in small batches.
   */
  freeSession(): SlotSession | undefined {
    let best: SlotSession | undefined;
    for (const session of this.facts?.sessions ?? []) {
      if (session.slot.outstanding >= outstandingPerSlot) continue;
      const running = Math.min(session.slot.soleRunRows(session.version), this.maxBatchSize);
      if (running > 1 && this.#queue.readySamples(running) < running) continue;
      if (best === undefined || session.slot.outstanding < best.slot.outstanding) best = session;
    }
    return best;
  }

  /** Takes the next batch off the queue and runs it; false when nothing was left to run. Calls `done` after the run. */
  runNext(session: SlotSession, now: number, done: () => void): boolean {
    // What came before batching stopped still has a key; a batch of one row takes no second request.
    const mostRows = this.#batching.shared ? this.maxBatchSize : 1;
    const batch = this.#queue.takeBatch(mostRows, now, (pending) => this.#expire(pending));
    if (batch.length === 0) {
      this.#checkIdle();
      return false;
    }
    this.#running += batch.length;
    void this.#run(session, batch, done);
    return true;
  }

  /** Answers requests that wait past their deadline, on a thread's list too. */
  sweep(now: number): void {
    if (this.pending === 0) return;
    for (const batch of this.#handed) if (batch.members.some((item) => item.deadline <= now)) this.#takeBack(batch);
    for (const pending of this.#queue.remove((item) => item.deadline <= now)) this.#expire(pending);
    this.#checkIdle();
  }

  /** Resolves once nothing waits or runs. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#checkIdle();
    });
  }

  async #run(session: SlotSession, batch: readonly Pending[], done: () => void): Promise<void> {
    const startedAt = this.#clock.monotonic();
    const rows = batch.reduce((sum, pending) => sum + pending.samples, 0);
    try {
      // A small batch is on the slot's list before the dispatcher looks for the next one.
      const packing = packInTurns(batch.map((pending) => pending.tensors));
      const packed = packing instanceof Promise ? await session.slot.hold(packing) : packing;
      const packedAt = this.#clock.monotonic();
      const result = await this.#hand(batch, session.slot.run(session, packed, Math.max(1, rows)));
      const repliedAt = this.#clock.monotonic();
      done();
      if (result === undefined) return;
      const { outputs, micros } = result;
      const tensors = unpack(outputs);
      const samples = batch.map((pending) => pending.samples);
      const found = this.#batching.shared || batch.length > 1 ? unlikeRows(tensors, rows) : undefined;
      if (found !== undefined && rows > 0) this.#stopBatching(found);
      if (found !== undefined && batch.length > 1) return await this.#runEach(session, batch);
      // Alone, whatever came out is the request's own.
      const parts = batch.length === 1 ? [tensors] : await splitOutputs(tensors, samples);
      const outputMs = this.#clock.monotonic() - repliedAt;
      const times = {
        size: rows,
        inputNs: (packedAt - startedAt) * nsPerMs,
        inferNs: micros * 1000,
        outputNs: outputMs * nsPerMs,
      };
      this.#succeed(batch, parts, times);
    } catch (error) {
      done();
      if (batch.length > 1) return await this.#runEach(session, batch);
      this.#running -= 1;
      this.#fail(batch[0] as Pending, AimassError.from(error));
    }
    this.#checkIdle();
  }

  /** From now on each request runs alone. */
  #stopBatching(found: string): void {
    if (!this.#batching.shared) return;
    const reason = `It did not keep rows apart on this replica: ${found}`;
    this.#batching = { shared: false, reason };
    this.#observer.stoppedBatching(reason);
  }

  #assertAffordable(rows: number): void {
    const { facts, plan } = this;
    // What a row takes is known where all rows are of one size.
    if (facts === undefined || !plan.batchable || !plan.uniform) return;
    const ownBytes = facts.memoryBytes / Math.max(1, facts.sessions.length);
    const availableBytes = ownBytes + this.#spareBytes();
    assertAffordable(facts.profile, rows, { runLimitMs: plan.runLimitMs, availableBytes });
  }

  /** Waits for a batch on a thread's list; undefined when it was taken back meanwhile. */
  async #hand(members: readonly Pending[], run: SlotRun) {
    const batch = { members, run };
    this.#handed.add(batch);
    try {
      return await run.result;
    } finally {
      this.#handed.delete(batch);
    }
  }

  /** Takes a batch that has not begun off its thread's list: its requests wait again. False when it has begun. */
  #takeBack(batch: HandedBatch): boolean {
    if (!batch.run.withdraw()) return false;
    this.#handed.delete(batch);
    this.#running -= batch.members.length;
    this.#queue.putBack(batch.members);
    this.#wake(this);
    return true;
  }

  /** Takes a request out of wherever it waits; what runs already goes on, for nobody. */
  #giveUp(pending: Pending): void {
    for (const batch of this.#handed) if (batch.members.includes(pending)) this.#takeBack(batch);
    if (this.#queue.remove((item) => item === pending).length > 0) this.#fail(pending, givenUp());
    this.#checkIdle();
  }

  /** Runs the requests of a batch one by one: one of them must not spoil the others. */
  async #runEach(session: SlotSession, batch: readonly Pending[]): Promise<void> {
    for (const pending of batch) {
      const isLate = pending.deadline <= this.#clock.monotonic();
      if (!isLate && !pending.signal.aborted) {
        await this.#run(session, [pending], () => {});
        continue;
      }
      this.#running -= 1;
      if (isLate) this.#expire(pending);
      else this.#fail(pending, givenUp());
    }
    this.#checkIdle();
  }

  #succeed(batch: readonly Pending[], parts: readonly (readonly Tensor[])[], times: BatchTimes): void {
    const now = this.#clock.monotonic();
    this.#running -= batch.length;
    this.statistics.recordRun(times, this.#clock.now());
    this.#observer.ran(times.inferNs / 1e9, times.size);
    const workMs = (times.inputNs + times.inferNs + times.outputNs) / nsPerMs;
    for (let i = 0; i < batch.length; i += 1) {
      const pending = batch[i] as Pending;
      const totalMs = now - pending.enqueuedAt;
      const queueMs = Math.max(0, totalMs - workMs);
      this.statistics.recordSuccess(pending.samples, totalMs * nsPerMs, queueMs * nsPerMs, times);
      this.#observer.queued(queueMs / 1000);
      pending.signal.removeEventListener("abort", pending.onGivenUp);
      pending.resolve(parts[i] as readonly Tensor[]);
    }
  }

  #expire(pending: Pending): void {
    this.#fail(pending, queueTimeout(this.key, this.#clock.monotonic() - pending.enqueuedAt));
  }

  #fail(pending: Pending, error: AimassError): void {
    this.statistics.recordFailure((this.#clock.monotonic() - pending.enqueuedAt) * nsPerMs);
    pending.signal.removeEventListener("abort", pending.onGivenUp);
    pending.reject(error);
  }

  #checkIdle(): void {
    if (this.#running > 0) return;
    for (const resolve of this.#onRunsDone.splice(0)) resolve();
    if (this.waiting > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #full(): AimassError {
    const { infer } = this.statistics;
    const perRequestMs = infer.count === 0 ? 1 : infer.ns / infer.count / nsPerMs / Math.max(1, this.maxBatchSize);
    return queueFull(this.key, this.plan.queueLimit, perRequestMs);
  }
}
