import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { echoModel } from "@aimass/onnx/samples";
import type { ChaosContext } from "./context.ts";

/** What a caller is told: whom to call, and that it sends every `step`-th body from `first` on. */
export interface BigJsonCaller {
  readonly address: string;
  readonly apiKey: string;
  readonly first: number;
  readonly step: number;
}

/** Callers at a time. */
const callers = 2;

/** Callers with tens of megabytes of JSON, some of it wrong: each gets the answer that is due. */
export async function sendBigJson({ mesh }: ChaosContext): Promise<void> {
  await mesh.serve("big-numbers", echoModel("FP32"), 2);
  await mesh.serve("big-words", echoModel("BYTES"), 2);
  const call = async (first: number) => {
    const workerData: BigJsonCaller = { address: mesh.address(), apiKey: mesh.apiKey, first, step: callers };
    // Rejects with what the thread threw.
    await once(new Worker(new URL("./big-json-caller.ts", import.meta.url), { workerData }), "exit");
  };
  await Promise.all(Array.from({ length: callers }, (_, i) => call(i)));
}
