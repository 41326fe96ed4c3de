import type { Runtime } from "@aimass/onnx";
import type { InferenceSession } from "onnxruntime-node";
import { loadableModel } from "./loadable-model.ts";

/** How a session is made. */
export interface SessionOptions {
  /** Path of the graph; external data lies beside it. */
  readonly path: string;
  readonly threads: number;
  /** Whether another graph than the file's is loaded: it has BF16 inputs or outputs, or its signature names adaptations. */
  readonly isDerived: boolean;
  /** Whether to say if the graph keeps rows apart: of versions inspected before that was asked. */
  readonly analysesRows: boolean;
  /** In order of preference: "cuda", "cpu" … */
  readonly executionProviders: readonly string[];
}

/** A session, and what must be known to read its outputs. */
export interface OpenModel {
  readonly session: InferenceSession;
  readonly bfloat16Outputs: ReadonlySet<string>;
}

/** Makes a session. Throws what the runtime throws. */
export async function openModel(runtime: Runtime, options: SessionOptions): Promise<OpenModel> {
  const { path, bfloat16Outputs } = await loadableModel(options.path, options.isDerived);
  return { session: await runtime.InferenceSession.create(path, sessionOptions(options)), bfloat16Outputs };
}

function sessionOptions(options: SessionOptions): InferenceSession.SessionOptions {
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
