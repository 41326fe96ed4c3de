import { AimassError, copyInTurns, ownMemory, ThreadLane } from "@aimass/core";
import type { Tensor } from "@aimass/oip";
import { handOver } from "../batching/packed-tensors.ts";
import type { ServingPlan } from "../servables/serving-plan.ts";
import { buffersOf, type CodecAsk, type CodecReply } from "./codec-messages.ts";
import { type Ranking, rank } from "./ranking.ts";
import { type CallBody, type ReadCall, readCall } from "./read-call.ts";
import { type Answer, type WrittenAnswer, writeAnswer } from "./write-answer.ts";

const thread = new URL("./codec-thread.ts", import.meta.url);

/** Bodies and outputs from this size on go to a thread, in bytes. Smaller ones take a few milliseconds at most. */
const threadFrom = { read: 128 * 1024, write: 64 * 1024, rank: 16 * 1024 } as const;
/** From this size on they have a thread of their own, which others of that size wait for, in bytes. */
const heavyFrom = 4 * 1024 * 1024;

/** How a body is read. */
export interface ReadOptions {
  /** Whether nobody else needs the body's memory. */
  readonly ownsBody: boolean;
  /** Aborts when the caller gives up. */
  readonly signal: AbortSignal;
}

/**
 * Reads calls, ranks scores and writes answers: small ones here and now, large ones on threads of their own, one for the large and one for the very large. Nothing a caller sends
 * or asks for keeps the thread with the sockets busy: there large data change hands, or are copied a few megabytes at a time.
 */
export class Codec implements AsyncDisposable {
  readonly #light = new ThreadLane<CodecAsk, CodecReply>(thread);
  readonly #heavy = new ThreadLane<CodecAsk, CodecReply>(thread);

  /** Rejects as `readCall` and, of a large body, `validateInputs` do; with CANCELLED when the caller gives up meanwhile. */
  async read(call: CallBody, plan: ServingPlan, { ownsBody, signal }: ReadOptions): Promise<ReadCall> {
    const { byteLength } = call.body;
    if (byteLength < threadFrom.read) return readCall(call, plan);
    const body = ownsBody ? await ownMemory(call.body) : await copyInTurns(call.body);
    const reply = await this.#lane(byteLength).ask({ read: { ...call, body }, plan }, buffersOf([body]), signal);
    if (!("read" in reply)) throw strange();
    const { inputs, ...read } = reply.read;
    handOver(inputs.tensors);
    return { ...read, checked: { plan, inputs } };
  }

  /** Rejects as `writeAnswer` does; with CANCELLED when the caller gives up meanwhile. */
  async write(answer: Answer, signal: AbortSignal): Promise<WrittenAnswer> {
    const { outputs } = answer.response;
    const bytes = outputs.reduce((sum, output) => sum + output.bytes.byteLength, 0);
    if (bytes < threadFrom.write) return writeAnswer(answer);
    // Others of the same batch have views of the same memory.
    const own = [];
    for (const output of outputs) own.push({ ...output, bytes: await copyInTurns(output.bytes) });
    const write = { ...answer, response: { ...answer.response, outputs: own } } as Answer;
    const buffers = buffersOf(own.map((output) => output.bytes));
    const reply = await this.#lane(bytes).ask({ write }, buffers, signal);
    if ("written" in reply) return reply.written;
    throw strange();
  }

  /** Ranks scores. Rejects as `classify` does; with CANCELLED when the caller gives up meanwhile. */
  async rank(rankings: readonly Ranking[], signal: AbortSignal): Promise<readonly Tensor[]> {
    const size = rankings.reduce((sum, { scores }) => sum + scores.bytes.byteLength, 0);
    if (size < threadFrom.rank) return rankings.map(rank);
    const own: Ranking[] = [];
    for (const ranking of rankings) {
      const { scores } = ranking;
      own.push({ ...ranking, scores: { ...scores, bytes: await copyInTurns(scores.bytes) } });
    }
    const buffers = buffersOf(own.map(({ scores }) => scores.bytes));
    const reply = await this.#lane(size).ask({ rank: own }, buffers, signal);
    if ("ranked" in reply) return reply.ranked;
    throw strange();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#light, this.#heavy].map((lane) => lane[Symbol.asyncDispose]()));
  }

  #lane(bytes: number): ThreadLane<CodecAsk, CodecReply> {
    return bytes < heavyFrom ? this.#light : this.#heavy;
  }
}

function strange(): AimassError {
  return new AimassError("INTERNAL", "The codec's thread answered something else.");
}
