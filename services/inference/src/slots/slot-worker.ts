/**
 * The thread of a slot: holds sessions and runs them one at a time. `session.run()` blocks its thread, so it has one of its own. It ends by message alone:
 * terminating a thread inside ONNX Runtime aborts the process.
 */
import { openSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { loadRuntime } from "@aimass/onnx";
import type { InferenceSession } from "onnxruntime-node";
import { clearedRecord, recordSize, writeRecord } from "../crashes/crash-note.ts";
import { loadableModel } from "./loadable-model.ts";
import { packOutputs, toFeeds } from "./ort-tensors.ts";
import { RunTickets } from "./run-tickets.ts";
import { type SlotReply, type SlotRequest, type SlotStart, transferFromBytes } from "./slot-messages.ts";

interface Held {
  readonly session: InferenceSession;
  readonly note: Uint8Array;
  readonly bfloat16Outputs: ReadonlySet<string>;
}

const port = parentPort as NonNullable<typeof parentPort>;
const { notePath, noteRecord, tickets: ticketMemory } = workerData as SlotStart;
const noteFile = openSync(notePath, "r+");
const tickets = new RunTickets(ticketMemory);
const sessions = new Map<number, Held>();
const asks: SlotRequest[] = [];
let working = false;
const runtime = await loadRuntime();

port.on("message", (ask: SlotRequest) => {
  asks.push(ask);
  if (!working) void work();
});

async function work(): Promise<void> {
  working = true;
  for (let ask = asks.shift(); ask !== undefined; ask = asks.shift()) {
    if (ask.kind === "stop") return stop();
    await answer(ask);
  }
  working = false;
}

async function answer(ask: Exclude<SlotRequest, { kind: "stop" }>): Promise<void> {
  const startedAt = performance.now();
  try {
    const outputs = await perform(ask);
    const micros = Math.round((performance.now() - startedAt) * 1000);
    const reply: SlotReply = { id: ask.id, ok: true, micros, ...(outputs !== undefined && { outputs }) };
    const large = outputs !== undefined && outputs.buffer.byteLength >= transferFromBytes;
    port.postMessage(reply, large ? [outputs.buffer] : []);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    port.postMessage({ id: ask.id, ok: false, message } satisfies SlotReply);
  }
}

async function perform(ask: Exclude<SlotRequest, { kind: "stop" }>) {
  switch (ask.kind) {
    case "load":
      return noted(ask.note, async () => {
        const { path, bfloat16Outputs } = await loadableModel(ask.options.path, ask.options.hasBfloat16);
        const session = await runtime.InferenceSession.create(path, sessionOptions(ask.options));
        sessions.set(ask.session, { session, note: ask.note, bfloat16Outputs });
        return undefined;
      });
    case "run": {
      if (!tickets.begin(ask.ticket)) return undefined;
      const held = sessions.get(ask.session);
      if (held === undefined) throw new Error("The session is not loaded.");
      const feeds = toFeeds(ask);
      const outputs = await noted(held.note, () => held.session.run(feeds));
      return packOutputs(outputs, held.session.outputNames, held.bfloat16Outputs);
    }
    case "release": {
      const held = sessions.get(ask.session);
      sessions.delete(ask.session);
      await held?.session.release();
      return undefined;
    }
  }
}

/** Leaves a note of what runs for as long as it runs: two small writes into the page cache, 2 µs together, that outlive the process. */
async function noted<T>(note: Uint8Array, run: () => Promise<T>): Promise<T> {
  const position = noteRecord * recordSize;
  writeRecord(noteFile, note, position);
  try {
    return await run();
  } finally {
    writeRecord(noteFile, clearedRecord, position);
  }
}

function sessionOptions(options: Extract<SlotRequest, { kind: "load" }>["options"]): InferenceSession.SessionOptions {
  return {
    executionProviders: [...options.executionProviders],
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    // Failed runs are answered to whoever asked; a log line each would let callers flood the log.
    logSeverityLevel: 4,
    // Threads that wait for work must not burn the CPU that the transport and other models need.
    extra: { session: { intra_op: { allow_spinning: "0" }, inter_op: { allow_spinning: "0" } } },
  };
}

async function stop(): Promise<void> {
  for (const { session } of sessions.values()) await session.release();
  process.exit(0);
}
