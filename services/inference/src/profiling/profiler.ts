import { AimassError, Semaphore } from "@aimass/core";
import { cleanRuntimeMessage } from "@aimass/onnx";
import type { ProbeStyle } from "../servables/probe-inputs.ts";
import type { ServingPlan } from "../servables/serving-plan.ts";
import { versionKey } from "../servables/version-name.ts";
import type { SessionOptions } from "../slots/open-model.ts";
import { BatchSearch, batchShare, foretell, mebibytes } from "./batch-search.ts";
import type { ModelProfile, ProfiledRun } from "./model-profile.ts";
import type { ProfileReply } from "./profile-messages.ts";
import { ProfilingProcess, type StepOutcome } from "./profiling-process.ts";

type Cost = Extract<ProfileReply, { ok: true }>;

/** Ways to make probe inputs, in the order they are tried: different models refuse different inputs. */
const styles: readonly ProbeStyle[] = [
  { axisLength: 1, zeros: false },
  { axisLength: 1, zeros: true },
  { axisLength: 4, zeros: false },
  { axisLength: 16, zeros: false },
  { axisLength: 64, zeros: false },
  { axisLength: 224, zeros: false },
];

/** Opening a model may take so much work, in milliseconds. */
const openLimitMs = 600_000;

/** A process that gave back all but this much may measure another model; more would hide what that one takes. */
const leftoverBytes = 32 * 2 ** 20;

/** So many times the rows of the largest batch are run for the sake of requests that are larger still, where that takes no more than this. */
const largeFactor = 64;
const mostLargeMicros = 500_000;
const mostLargeBytes = 512 * 2 ** 20;

/** How long the process waits for another model, in milliseconds. */
const idleMs = 5000;

/** What a version is measured against. */
export interface ProfileTerms {
  readonly plan: ServingPlan;
  readonly options: SessionOptions;
  /** Memory that is left for the version, in bytes. */
  readonly availableBytes: number;
  readonly signal: AbortSignal;
}

/** Measures versions row by row in a process of their own, one after another. */
export class Profiler implements Disposable {
  readonly #turn = new Semaphore(1);
  #process: ProfilingProcess | undefined;
  #freshBytes = 0;
  #idle: NodeJS.Timeout | undefined;

  /**
   * What opening and running a version takes, up to the largest batch that it should get. Rejects with FAILED_PRECONDITION (cannot be opened, crashes, a single row
   * takes longer than a run may), RESOURCE_EXHAUSTED (a single row takes more memory than is left), or the signal's reason.
   */
  profile(terms: ProfileTerms): Promise<ModelProfile> {
    return this.#turn.run(async () => {
      clearTimeout(this.#idle);
      const process = await this.#takeProcess();
      try {
        return await new Profiling(process, this.#freshBytes, terms).run();
      } finally {
        await this.#putBack(process, terms.signal);
      }
    }, terms.signal);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#idle);
    this.#process?.end();
  }

  async #takeProcess(): Promise<ProfilingProcess> {
    if (this.#process === undefined || this.#process.isOver) {
      this.#process = new ProfilingProcess();
      this.#freshBytes = 0;
    }
    return this.#process;
  }

  async #putBack(process: ProfilingProcess, signal: AbortSignal): Promise<void> {
    if (process.isOver) return;
    const limits = { workMs: openLimitMs, memoryBytes: Number.POSITIVE_INFINITY };
    const closed = await process.step({ kind: "close" }, limits, signal).catch(() => undefined);
    const held = await process.memoryBytes();
    if (this.#freshBytes === 0) this.#freshBytes = held;
    if (closed?.kind !== "replied" || held - this.#freshBytes > leftoverBytes) return process.end();
    this.#idle = setTimeout(() => process.end(), idleMs).unref();
  }
}

/** One version in the process. */
class Profiling {
  readonly #process: ProfilingProcess;
  readonly #baseBytes: number;
  readonly #terms: ProfileTerms;

  constructor(process: ProfilingProcess, baseBytes: number, terms: ProfileTerms) {
    this.#process = process;
    this.#baseBytes = baseBytes || 128 * 2 ** 20;
    this.#terms = terms;
  }

  async run(): Promise<ModelProfile> {
    const opened = this.#assertOpen(await this.#step({ kind: "open", options: this.#terms.options }, openLimitMs));
    const found = { openMicros: work(opened), openBytes: opened.peakBytes };
    for (const style of styles) {
      const first = await this.#rows(1, style, true);
      if (first.ok) return { ...found, style, ...(await this.#search(style, first, opened.peakBytes)) };
    }
    return { ...found, style: undefined, runs: [], stopped: "", parity: "" };
  }

  async #search(style: ProbeStyle, first: Cost, openBytes: number) {
    const { plan, availableBytes } = this.#terms;
    const { maxBatchSize: maxRows, runLimitMs } = plan;
    const search = new BatchSearch({ maxRows, runLimitMs, availableBytes, openBytes });
    // The second run is the one that tells: the first of all is slow for other reasons than the model. One that is slow anyway is not run for that.
    const second = work(first) / 1000 > runLimitMs / batchShare ? undefined : await this.#rows(1, style, true);
    const parity = second?.ok === true && sameBytes(first.digest, second.digest) ? hex(first.digest) : "";
    const single = second?.ok === true ? second : first;
    search.ran({ rows: 1, micros: work(single), peakBytes: Math.max(first.peakBytes, single.peakBytes) });
    for (let next = search.next(); ; next = search.next()) {
      if ("done" in next) {
        const { runs } = search;
        return { runs, stopped: next.done, parity, large: await this.#largeRun(style, runs, openBytes) };
      }
      const { rows } = next;
      const reply = await this.#rows(rows, style, false);
      if (reply.ok) search.ran({ rows, micros: work(reply), peakBytes: reply.peakBytes });
      else if (this.#process.isOver) return { runs: search.runs, stopped: reply.message, parity };
      else search.failed(rows, `${rows} rows were refused: ${cleanRuntimeMessage(reply.message)}`);
    }
  }

  /** What a size far above the largest batch takes; undefined where that would be much, or does not go well: a row of such a model stands out in its batches. */
  async #largeRun(style: ProbeStyle, runs: readonly ProfiledRun[], openBytes: number) {
    const { plan, availableBytes } = this.#terms;
    const largest = runs.at(-1);
    if (!plan.batchable || largest === undefined) return undefined;
    const rows = largest.rows * largeFactor;
    const { micros, peakBytes } = foretell(runs, rows, openBytes);
    if (micros > mostLargeMicros || peakBytes > Math.min(mostLargeBytes, availableBytes / batchShare)) return undefined;
    const reply = await this.#rows(rows, style, false).catch((error: unknown) => {
      this.#terms.signal.throwIfAborted();
      return { ok: false as const, message: AimassError.from(error).message };
    });
    return reply.ok ? { rows, micros: work(reply), peakBytes: reply.peakBytes } : undefined;
  }

  async #rows(rows: number, style: ProbeStyle, digest: boolean): Promise<ProfileReply> {
    const { inputs, batchable, runLimitMs } = this.#terms.plan;
    const outcome = await this.#step({ kind: "run", probe: { inputs, batchable, rows, style, digest } }, runLimitMs);
    if (outcome.kind === "replied") {
      if (rows === 1 && outcome.reply.ok && work(outcome.reply) / 1000 > runLimitMs) throw this.#tooSlow(outcome.reply);
      return outcome.reply;
    }
    if (outcome.kind === "crashed") throw this.#crashes(outcome.how, `on ${rows} ${rows === 1 ? "row" : "rows"}`);
    if (rows === 1) throw outcome.kind === "too slow" ? this.#tooSlow() : this.#tooLarge();
    const what = outcome.kind === "too slow" ? `more than ${runLimitMs} ms` : "more memory than is left";
    return { ok: false, message: `${rows} rows took ${what}` };
  }

  #step(ask: Parameters<ProfilingProcess["step"]>[0], workMs: number): Promise<StepOutcome> {
    const memoryBytes = this.#baseBytes + this.#terms.availableBytes;
    return this.#process.step(ask, { workMs, memoryBytes }, this.#terms.signal);
  }

  #assertOpen(outcome: StepOutcome): Cost {
    if (outcome.kind === "crashed") throw this.#crashes(outcome.how, "when it is loaded");
    if (outcome.kind === "too large") throw this.#tooLarge();
    if (outcome.kind === "too slow")
      throw this.#failed(`could not be loaded within ${openLimitMs / 1000} s.`, "LOAD_FAILED");
    if (outcome.reply.ok) return outcome.reply;
    throw this.#failed(`could not be loaded: ${cleanRuntimeMessage(outcome.reply.message)}`, "LOAD_FAILED");
  }

  #tooSlow(run?: Cost): AimassError {
    const { runLimitMs } = this.#terms.plan;
    const took = run === undefined ? "longer" : `${Math.round(work(run) / 1000)} ms`;
    return this.#failed(
      `passed its run limit with a single row, which took ${took}: run_limit_ms is ${runLimitMs}.`,
      "RUN_TOO_SLOW",
      "Make the model faster, give it more threads (intra_op_threads), or raise run_limit_ms under serving in its model.yaml.",
    );
  }

  #tooLarge(): AimassError {
    const { plan, availableBytes } = this.#terms;
    return new AimassError(
      "RESOURCE_EXHAUSTED",
      `${versionKey(plan.name)} needs more memory for a single row than the ${mebibytes(availableBytes)} that are left on this replica.`,
      { reason: "NO_MEMORY", remedy: "Raise AIMASS_REPLICA_MEMORY_BYTES, or serve fewer models here." },
    );
  }

  #crashes(how: string, when: string): AimassError {
    return this.#failed(
      `crashes the runtime ${when} (${how}), in a process made for that.`,
      "MODEL_CRASHES",
      "It cannot be served as it is: run it with ONNX Runtime alone to find the operation, and export it another way.",
    );
  }

  #failed(what: string, reason: string, remedy?: string): AimassError {
    const facts = remedy === undefined ? { reason } : { reason, remedy };
    return new AimassError("FAILED_PRECONDITION", `${versionKey(this.#terms.plan.name)} ${what}`, facts);
  }
}

/** How long a step would take on an idle machine: never more than the clock said, nor than all threads worked. */
function work({ wallMicros, cpuMicros }: Cost): number {
  return cpuMicros > 0 ? Math.min(wallMicros, cpuMicros) : wallMicros;
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString("hex");
}
