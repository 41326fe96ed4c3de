/**
 * The thread of a slot: holds sessions and runs them one at a time. `session.run()` blocks its thread, so it has one of its own. It ends by message alone:
 * terminating a thread inside ONNX Runtime aborts the process.
 */
import { openSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { loadRuntime } from "@aimass/onnx";
import { clearedRecord, recordSize, writeRecord } from "../crashes/crash-note.ts";
import { graphRows } from "./graph-rows.ts";
import { type OpenModel, openModel } from "./open-model.ts";
import { packOutputs, toFeeds } from "./ort-tensors.ts";
import { runProbe } from "./probe-run.ts";
import { RunTickets } from "./run-tickets.ts";
import { type SlotReply, type SlotRequest, type SlotStart, transferFromBytes } from "./slot-messages.ts";

interface Held extends OpenModel {
  readonly note: Uint8Array;
}

type Found = Pick<Extract<SlotReply, { ok: true }>, "outputs" | "digest" | "rows">;

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
    const found = await perform(ask);
    const micros = Math.round((performance.now() - startedAt) * 1000);
    const reply: SlotReply = { id: ask.id, ok: true, micros, ...found };
    const { outputs } = found;
    const large = outputs !== undefined && outputs.buffer.byteLength >= transferFromBytes;
    port.postMessage(reply, large ? [outputs.buffer] : []);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    port.postMessage({ id: ask.id, ok: false, message } satisfies SlotReply);
  }
}

async function perform(ask: Exclude<SlotRequest, { kind: "stop" }>): Promise<Found> {
  switch (ask.kind) {
    case "load":
      return noted(ask.note, async () => {
        sessions.set(ask.session, { ...(await openModel(runtime, ask.options)), note: ask.note });
        return ask.options.analysesRows ? { rows: await graphRows(ask.options.path) } : {};
      });
    case "run": {
      if (!tickets.begin(ask.ticket)) return {};
      const held = heldOf(ask.session);
      const feeds = toFeeds(ask);
      const outputs = await noted(held.note, () => held.session.run(feeds));
      return { outputs: packOutputs(outputs, held.session.outputNames, held.bfloat16Outputs) };
    }
    case "probe": {
      const held = heldOf(ask.session);
      const digest = await runProbe(held, ask.probe, (run) => noted(held.note, run));
      return digest === undefined ? {} : { digest };
    }
    case "release": {
      const held = sessions.get(ask.session);
      sessions.delete(ask.session);
      await held?.session.release();
      return {};
    }
  }
}

function heldOf(session: number): Held {
  const held = sessions.get(session);
  if (held === undefined) throw new Error("The session is not loaded.");
  return held;
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

async function stop(): Promise<void> {
  for (const { session } of sessions.values()) await session.release();
  process.exit(0);
}
