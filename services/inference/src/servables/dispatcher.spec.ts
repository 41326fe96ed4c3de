import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VersionSchema } from "@aimass/api/registry";
import { systemClock } from "@aimass/core";
import { slowRowsModel, tinyModel } from "@aimass/onnx/samples";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startCrashNote } from "../crashes/crash-note.ts";
import { Slot } from "../slots/slot.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Servable } from "./servable.ts";
import { planServing } from "./serving-plan.ts";
import { validateInputs } from "./validate-inputs.ts";

let directory: string;
let slot: Slot;
let dispatcher: Dispatcher;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "aimass-dispatch-"));
  startCrashNote(join(directory, "note"), "1");
  slot = new Slot({ notePath: join(directory, "note"), record: 1, onDied: () => {} });
  dispatcher = new Dispatcher(systemClock);
});

afterEach(async () => {
  dispatcher[Symbol.dispose]();
  await slot.stop();
  await rm(directory, { recursive: true, force: true });
});

async function serve(
  serving: { batchDelayUs?: number; maxBatchSize?: number },
  model = tinyModel(),
  runLimitMs = 1000,
): Promise<Servable> {
  writeFileSync(join(directory, "model.onnx"), model);
  const version = create(VersionSchema, {
    project: "default",
    model: "tiny",
    version: 1n,
    signature: {
      inputs: [{ name: "x", datatype: "FP32", shape: [-1n, 4n] }],
      outputs: [{ name: "y", datatype: "FP32", shape: [-1n, 4n] }],
      batchable: true,
    },
    serving,
  });
  const plan = planServing(version, 1);
  const servable = new Servable(plan, {
    clock: systemClock,
    observer: { queued() {}, ran() {}, stoppedBatching() {} },
    onDemand: false,
    wake: dispatcher.wake,
    onDemanded() {},
    spareBytes: () => 2 ** 40,
  });
  const path = join(directory, "model.onnx");
  const options = { path, threads: 1, isDerived: false, analysesRows: true, executionProviders: ["cpu"] };
  const sessions = [await slot.load(plan.name, options, runLimitMs)];
  servable.judge(sessions[0]?.rows);
  const size = { memoryBytes: 0, leastBytes: 0, maxBatchSize: plan.maxBatchSize, batchLimit: "" };
  const times = { openMicros: 0, loadMicros: 0 };
  const style = { axisLength: 1, zeros: false };
  const profile = { openMicros: 0, openBytes: 0, style, runs: [], stopped: "", parity: "" };
  servable.facts = { sessions, isApart: false, profile, ...size, ...times, parityDigest: new Uint8Array() };
  servable.state = { kind: "ready" };
  return servable;
}

const nobodyGivesUp = new AbortController().signal;

function ask(servable: Servable, deadline = Number.POSITIVE_INFINITY, priority = 0, signal = nobodyGivesUp) {
  const x = { name: "x", datatype: "FP32", shape: [1, 4], bytes: new Uint8Array(16) } as const;
  return servable.infer(validateInputs(servable.plan, [x]), { deadline, priority, signal });
}

describe("a version that asks for a delay", () => {
  it("waits so long for more requests and runs them together", async () => {
    const servable = await serve({ batchDelayUs: 60_000 });
    const first = ask(servable);
    await systemClock.sleep(20);
    await Promise.all([first, ask(servable)]);
    expect(servable.statistics.executions).toBe(1);
    expect(servable.statistics.queue.ns / 1e6).toBeGreaterThan(55);
  });

  it("goes at once when the batch is full", async () => {
    const servable = await serve({ batchDelayUs: 5_000_000, maxBatchSize: 4 });
    await Promise.all([ask(servable), ask(servable), ask(servable), ask(servable)]);
    expect(servable.statistics.executions).toBe(1);
  });

  it("does not wait past a deadline", async () => {
    const servable = await serve({ batchDelayUs: 200_000 });
    await ask(servable, systemClock.monotonic() + 300);
    expect(servable.statistics.success.ns / 1e6).toBeLessThan(250);
  });
});

describe("requests that nobody waits for any more", () => {
  /** A servable whose only thread is busy for a while, and the answers to what keeps it so. */
  async function busy(): Promise<{ servable: Servable; running: Promise<unknown> }> {
    const servable = await serve({ maxBatchSize: 4 }, slowRowsModel(), 60_000);
    const running = ask(servable);
    await systemClock.sleep(30);
    return { servable, running };
  }

  it("are not run: neither those in the queue nor those on the thread's list", async () => {
    const { servable, running } = await busy();
    const gone = new AbortController();
    const all = Array.from({ length: 10 }, () => ask(servable, undefined, 0, gone.signal));
    const outcomes = Promise.allSettled(all);
    await systemClock.sleep(30);
    expect(slot.outstanding).toBe(2);
    gone.abort();
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "CANCELLED" } });
    expect(servable.waiting).toBe(0);
    await running;
    await ask(servable);
    expect(servable.statistics.executions).toBe(2);
  });

  it("leave the batch they were in, which runs without them", async () => {
    const { servable, running } = await busy();
    const gone = new AbortController();
    const left = Promise.allSettled([
      ask(servable, undefined, 0, gone.signal),
      ask(servable, undefined, 0, gone.signal),
    ]);
    const stayed = [ask(servable), ask(servable)];
    await systemClock.sleep(30);
    gone.abort();
    await Promise.all([running, left, ...stayed]);
    expect([...servable.statistics.batches.keys()]).toEqual([1, 2]);
    expect(servable.statistics.executions).toBe(2);
  });

  it("are answered at their deadline while they wait on the thread's list, and not run", async () => {
    const { servable, running } = await busy();
    const asked = systemClock.monotonic();
    const late = ask(servable, asked + 100);
    await expect(late).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(systemClock.monotonic() - asked).toBeLessThan(400);
    await running;
    expect(servable.pending).toBe(0);
    await ask(servable);
    expect(servable.statistics.executions).toBe(2);
  });
});

describe("a version without a delay", () => {
  it("runs a lone request at once and joins those of one turn of the event loop", async () => {
    const servable = await serve({});
    await ask(servable);
    await Promise.all(Array.from({ length: 10 }, () => ask(servable)));
    expect(servable.statistics.executions).toBe(2);
  });

  it("answers requests of a higher priority first", async () => {
    const servable = await serve({ maxBatchSize: 1 });
    const answered: string[] = [];
    const inTurn = (name: string, priority: number) =>
      ask(servable, undefined, priority).then(() => answered.push(name));
    await Promise.all([inTurn("usual 1", 2), inTurn("usual 2", 2), inTurn("usual 3", 2), inTurn("urgent", 1)]);
    expect(answered).toEqual(["urgent", "usual 1", "usual 2", "usual 3"]);
  });

  it("ends idle only when all is answered, for everyone who waits for it", async () => {
    const servable = await serve({});
    const answers = Promise.all(Array.from({ length: 40 }, () => ask(servable)));
    await Promise.all([servable.idle(), servable.idle(), servable.runsDone(), servable.runsDone()]);
    expect(servable.pending).toBe(0);
    await answers;
  });
});
