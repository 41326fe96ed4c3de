import { AimassError } from "@aimass/core";
import { handOver } from "../batching/packed-tensors.ts";
import type { ServingPlan } from "../servables/serving-plan.ts";
import { CodecLane } from "./codec-lane.ts";
import { buffersOf } from "./codec-messages.ts";
import { type CallBody, type ReadCall, readCall } from "./read-call.ts";
import { type Answer, type WrittenAnswer, writeAnswer } from "./write-answer.ts";

/** Bodies and outputs from this size on go to a thread, in bytes. Smaller ones take a few milliseconds at most. */
const threadFrom = { read: 128 * 1024, write: 64 * 1024 } as const;
/** From this size on they have a thread of their own, which others of that size wait for, in bytes. */
const heavyFrom = 4 * 1024 * 1024;
/** Bytes that are copied before others have their turn. */
const copyBytes = 4 * 1024 * 1024;

/** How a body is read. */
export interface ReadOptions {
  /** Whether nobody else needs the body's memory. */
  readonly ownsBody: boolean;
  /** Aborts when the caller gives up. */
  readonly signal: AbortSignal;
}

/**
 * Reads calls and writes answers: small ones here and now, large ones on threads of their own, one for the large and one for the very large. Nothing a caller sends
 * or asks for keeps the thread with the sockets busy: there large data change hands, or are copied a few megabytes at a time.
 */
export class Codec implements AsyncDisposable {
  readonly #light = new CodecLane();
  readonly #heavy = new CodecLane();

  /** Rejects as `readCall` and, of a large body, `validateInputs` do; with CANCELLED when the caller gives up meanwhile. */
  async read(call: CallBody, plan: ServingPlan, { ownsBody, signal }: ReadOptions): Promise<ReadCall> {
    const { byteLength } = call.body;
    if (byteLength < threadFrom.read) return readCall(call, plan);
    const body = ownsBody && isWhole(call.body) ? call.body : await copied(call.body);
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
    for (const output of outputs) own.push({ ...output, bytes: await copied(output.bytes) });
    const write = { ...answer, response: { ...answer.response, outputs: own } } as Answer;
    const buffers = buffersOf(own.map((output) => output.bytes));
    const reply = await this.#lane(bytes).ask({ write }, buffers, signal);
    if ("written" in reply) return reply.written;
    throw strange();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#light, this.#heavy].map((lane) => lane[Symbol.asyncDispose]()));
  }

  #lane(bytes: number): CodecLane {
    return bytes < heavyFrom ? this.#light : this.#heavy;
  }
}

function strange(): AimassError {
  return new AimassError("INTERNAL", "The codec's thread answered something else.");
}

/** Whether memory can change hands with nothing else in it. */
function isWhole({ buffer, byteLength }: Uint8Array): boolean {
  return buffer instanceof ArrayBuffer && buffer.byteLength - byteLength < 64;
}

async function copied(bytes: Uint8Array): Promise<Uint8Array> {
  const copy = new Uint8Array(bytes.byteLength);
  for (let at = 0; at < bytes.byteLength; at += copyBytes) {
    copy.set(bytes.subarray(at, at + copyBytes), at);
    if (at + copyBytes < bytes.byteLength) await new Promise((resolve) => setImmediate(resolve));
  }
  return copy;
}
