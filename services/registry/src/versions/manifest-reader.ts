import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { ColumnMeaningSchema, ServingOptionsSchema } from "@aimass/api/registry";
import { create } from "@bufbuild/protobuf";
import { invalid } from "../names.ts";
import type { Manifest } from "./manifest.ts";

/** What the worker says, once. */
export type ManifestReply =
  | { readonly manifest: Manifest }
  | { readonly refusal: { readonly message: string; readonly field: string; readonly remedy: string } };

const worker = new URL("./manifest-worker.ts", import.meta.url);
const resourceLimits = { maxOldGenerationSizeMb: 128 };

/**
 * `readManifest` in a thread of its own, for at most `limitMs`: the time a YAML parser takes for a text that means harm grows with the square of its length, and
 * meanwhile nothing else would be served. Errors: INVALID_ARGUMENT.
 */
export async function readManifestApart(text: string, limitMs = 5000): Promise<Manifest> {
  const thread = new Worker(worker, { workerData: text, resourceLimits, stdout: true, stderr: true });
  try {
    const [reply] = (await once(thread, "message", { signal: AbortSignal.timeout(limitMs) })) as [ManifestReply];
    if ("refusal" in reply) throw invalid(reply.refusal.field, reply.refusal.message, reply.refusal.remedy);
    return revive(reply.manifest);
  } catch (error) {
    throw isLimit(error) ? tooHard() : error;
  } finally {
    await thread.terminate();
  }
}

/** A message loses its prototype on the way between threads. */
function revive(manifest: Manifest): Manifest {
  const { serving } = manifest;
  const columns = Object.entries(manifest.columns).map(([name, column]) => {
    return [name, create(ColumnMeaningSchema, { ...column })] as const;
  });
  return {
    ...manifest,
    columns: Object.fromEntries(columns),
    serving: serving && create(ServingOptionsSchema, { ...serving }),
  };
}

function isLimit(error: unknown): boolean {
  const { name, code } = error as NodeJS.ErrnoException;
  return name === "AbortError" || code === "ERR_WORKER_OUT_OF_MEMORY";
}

function tooHard() {
  return invalid(
    "model.yaml",
    "model.yaml takes too long to read.",
    "Write it plainly, without thousands of keys or brackets.",
  );
}
