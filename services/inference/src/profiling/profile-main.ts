/**
 * The profiling process: opens a model and runs it step by step as it is told, and says what each step took. Whatever a model does, crash, hang or fill the memory, it
 * does it here, where it harms nobody.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { endWithParent, GraphBuilder, loadRuntime } from "@aimass/onnx";
import { type OpenModel, openModel } from "../slots/open-model.ts";
import { runProbe } from "../slots/probe-run.ts";
import type { ProfileAsk, ProfileReply } from "./profile-messages.ts";

endWithParent();
yieldToOthers();
const runtime = await loadRuntime();
let model: OpenModel | undefined;
let emptyBytes = 0;

await useOnce();

process.on("message", async (ask: ProfileAsk) => process.send?.(await answer(ask)));
process.send?.("ready");

async function answer(ask: ProfileAsk): Promise<ProfileReply> {
  if (ask.kind === "open") {
    global.gc?.();
    emptyBytes = process.memoryUsage.rss();
  }
  forgetPeak();
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  try {
    const digest = await perform(ask);
    const { user, system } = process.cpuUsage(cpuBefore);
    const wallMicros = Math.round((performance.now() - startedAt) * 1000);
    const peakBytes = Math.max(0, peak() - emptyBytes);
    return { ok: true, wallMicros, cpuMicros: user + system, peakBytes, ...(digest !== undefined && { digest }) };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

async function perform(ask: ProfileAsk): Promise<Uint8Array | undefined> {
  if (ask.kind === "open") {
    model = await openModel(runtime, ask.options);
    return undefined;
  }
  if (ask.kind === "close") {
    await model?.session.release();
    model = undefined;
    return undefined;
  }
  if (model === undefined) throw new Error("No model is open.");
  return runProbe(model, ask.probe);
}

/** What the runtime takes for its first session of all, and for its first run, is not the first model's. */
async function useOnce(): Promise<void> {
  const graph = new GraphBuilder("first");
  graph.output(graph.node("Identity", [graph.input("x", "FP32", [1])], {}, { outputs: ["y"] }), "FP32", [1]);
  const session = await runtime.InferenceSession.create(graph.toBytes());
  await session.run({ x: new runtime.Tensor("float32", new Float32Array(1), [1]) });
  await session.release();
}

/** Asks the kernel to count the largest memory anew. */
function forgetPeak(): void {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // Not Linux: what is held after a step stands for the most.
  }
}

function peak(): number {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return Number(kibibytes) * 1024;
  } catch {
    return process.memoryUsage.rss();
  }
}

/** Who runs out of memory first is this process. */
function yieldToOthers(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "1000");
  } catch {
    // Not Linux.
  }
}
