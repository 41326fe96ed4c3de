import { parentPort, Worker } from "node:worker_threads";
import { AimassError } from "./errors.ts";
import { fromRefusal, type Refusal, toRefusal } from "./refusal.ts";

/** What a lane's thread tells of one piece of work. */
type LaneReply<Answer> = { readonly answer: Answer } | { readonly refusal: Refusal };

interface Waiting<Ask, Answer> {
  readonly task: Ask;
  readonly buffers: readonly ArrayBuffer[];
  readonly signal: AbortSignal;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: AimassError) => void;
}

/** A thread that does what it is asked one after the other. It begins with the first ask. Whoever gives up while he waits is not worked for. */
export class ThreadLane<Ask, Answer> implements AsyncDisposable {
  readonly #script: URL;
  #worker: Worker | undefined;
  #current: Waiting<Ask, Answer> | undefined;
  readonly #waiting: Waiting<Ask, Answer>[] = [];
  #isClosed = false;

  /** `script` is the thread's: it calls `workInLane`. */
  constructor(script: URL) {
    this.#script = script;
  }

  /**
   * `buffers` change hands. Rejects with what the thread refused, with CANCELLED when the signal aborts before it begins, with RESOURCE_EXHAUSTED when the thread
   * ends over it, with UNAVAILABLE once the lane is closed, with INTERNAL when the task cannot be handed over.
   */
  ask(task: Ask, buffers: readonly ArrayBuffer[], signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, buffers, signal, resolve, reject });
      this.#next();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.terminate();
  }

  #next(): void {
    while (this.#current === undefined) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      if (this.#isClosed) next.reject(closed());
      else if (next.signal.aborted) next.reject(givenUp());
      else this.#begin(next);
    }
  }

  #begin(next: Waiting<Ask, Answer>): void {
    try {
      this.#thread().postMessage(next.task, next.buffers);
      this.#current = next;
    } catch (error) {
      next.reject(AimassError.from(error));
    }
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(this.#script);
    worker.unref();
    worker.on("message", (reply: LaneReply<Answer>) => this.#settle(reply));
    worker.on("error", (error) => this.#lost(worker, error));
    worker.on("exit", () => this.#lost(worker, undefined));
    this.#worker = worker;
    return worker;
  }

  #settle(reply: LaneReply<Answer>): void {
    const done = this.#current;
    this.#current = undefined;
    if ("refusal" in reply) done?.reject(fromRefusal(reply.refusal));
    else done?.resolve(reply.answer);
    this.#next();
  }

  /** The next ask begins another thread. */
  #lost(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const lost = this.#current;
    this.#current = undefined;
    lost?.reject(this.#isClosed ? closed() : ended(cause));
    this.#next();
  }
}

/** The thread's side of a lane: answers each ask with what `work` makes of it. `buffers` change hands. What it throws is told as a refusal. */
export function workInLane<Ask, Answer>(work: (ask: Ask) => { answer: Answer; buffers: ArrayBuffer[] }): void {
  const port = parentPort as NonNullable<typeof parentPort>;
  port.on("message", (ask: Ask) => {
    const { reply, buffers } = replyTo(ask, work);
    port.postMessage(reply, buffers);
  });
}

function replyTo<Ask, Answer>(
  ask: Ask,
  work: (ask: Ask) => { answer: Answer; buffers: ArrayBuffer[] },
): { reply: LaneReply<Answer>; buffers: ArrayBuffer[] } {
  try {
    const { answer, buffers } = work(ask);
    return { reply: { answer }, buffers };
  } catch (error) {
    return { reply: { refusal: toRefusal(error) }, buffers: [] };
  }
}

function givenUp(): AimassError {
  return new AimassError("CANCELLED", "The caller gave up before the body was read.");
}

function closed(): AimassError {
  return new AimassError("UNAVAILABLE", "The thread that works on large bodies is closed.", {
    reason: "THREAD_CLOSED",
    remedy: "Try again elsewhere: this process is ending.",
  });
}

function ended(cause: unknown): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", "The thread that worked on a large body ended.", {
    reason: "THREAD_LOST",
    remedy: "Send less at once.",
    cause,
  });
}
