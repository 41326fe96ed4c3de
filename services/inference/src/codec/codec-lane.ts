import { Worker } from "node:worker_threads";
import { AimassError } from "@aimass/core";
import { type CodecAsk, type CodecReply, fromRefusal } from "./codec-messages.ts";

interface Waiting {
  readonly task: CodecAsk;
  readonly buffers: readonly ArrayBuffer[];
  readonly signal: AbortSignal;
  readonly resolve: (reply: CodecReply) => void;
  readonly reject: (error: AimassError) => void;
}

/** A thread that does what it is asked one after the other. It begins with the first ask. Whoever gives up while he waits is not worked for. */
export class CodecLane implements AsyncDisposable {
  #worker: Worker | undefined;
  #current: Waiting | undefined;
  readonly #waiting: Waiting[] = [];

  /** `buffers` change hands. Rejects with what the thread refused, and with CANCELLED when the signal aborts before it begins. */
  ask(task: CodecAsk, buffers: readonly ArrayBuffer[], signal: AbortSignal): Promise<CodecReply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, buffers, signal, resolve, reject });
      this.#next();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
  }

  #next(): void {
    if (this.#current !== undefined) return;
    let next = this.#waiting.shift();
    for (; next?.signal.aborted; next = this.#waiting.shift()) next.reject(givenUp());
    if (next === undefined) return;
    this.#current = next;
    this.#thread().postMessage(next.task, next.buffers);
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(new URL("./codec-thread.ts", import.meta.url));
    worker.unref();
    worker.on("message", (reply: CodecReply) => this.#settle(reply));
    worker.on("error", (error) => this.#lost(worker, error));
    worker.on("exit", () => this.#lost(worker, undefined));
    this.#worker = worker;
    return worker;
  }

  #settle(reply: CodecReply): void {
    const done = this.#current;
    this.#current = undefined;
    if ("refusal" in reply) done?.reject(fromRefusal(reply.refusal));
    else done?.resolve(reply);
    this.#next();
  }

  /** The next ask begins another thread. */
  #lost(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const lost = this.#current;
    this.#current = undefined;
    lost?.reject(
      new AimassError("RESOURCE_EXHAUSTED", "The thread that read the body ended.", {
        reason: "CODEC_LOST",
        remedy: "Send less at once.",
        cause,
      }),
    );
    this.#next();
  }
}

function givenUp(): AimassError {
  return new AimassError("CANCELLED", "The caller gave up before the body was read.");
}
