import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Batch, ClassLabels } from "@aimass/learn";
import { loadableGraph, readModel, writeModel } from "@aimass/onnx";
import { InferenceSession, type Tensor } from "onnxruntime-node";
import type { Answer, Predictor } from "./answer.ts";
import { ClassScores } from "./class-scores.ts";
import { isNumber, shapes, unfit } from "./model-fit.ts";
import { ModelInputs, type Moments } from "./model-inputs.ts";

export interface OnnxPredictorOptions {
  /** Columns the model may ask for, in the order of an input [N, features]; those of the batch unless given. */
  readonly columns?: readonly string[];
  /** Columns of ISO 8601 texts that the model takes as days or seconds. */
  readonly moments?: Moments;
  /** Of a classification: the trained classes. */
  readonly classes?: ClassLabels;
  /** Of a model that tells classes otherwise: their names in the order of its scores. `classes` unless given. */
  readonly scored?: readonly string[];
  /** 1 unless given. */
  readonly threads?: number;
}

/** Rows a run may have: some models hold a batch's intermediate values all at once. */
const mostRows = 256;
const longestTimingMs = 5000;

/**
 * Any ONNX model over batches of a dataset. Inputs: columns by their names ([N] or [N, 1]), or one of numbers [N, features], or one of images [N, H, W, 3] or
 * [N, 3, H, W]. Outputs: one number a row, scores of the classes [N, classes], or labels [N]. Errors: FAILED_PRECONDITION for a model that cannot be loaded, whose inputs
 * or outputs do not fit, or that fails on a batch.
 */
export class OnnxPredictor implements Predictor, AsyncDisposable {
  readonly #session: InferenceSession;
  readonly #inputs: ModelInputs;
  #scores: ClassScores | undefined;

  private constructor(session: InferenceSession, options: OnnxPredictorOptions) {
    this.#session = session;
    this.#inputs = new ModelInputs(session.inputMetadata, options.columns, options.moments);
    if (options.classes === undefined) return;
    this.#scores = new ClassScores(options.classes, options.scored ?? options.classes.values.map(String));
  }

  /** `model`: the path of a file, beside which its external data lie, or the bytes of one without. */
  static async open(model: string | Uint8Array, options: OnnxPredictorOptions = {}): Promise<OnnxPredictor> {
    const session = await load(model, options.threads ?? 1);
    try {
      return new OnnxPredictor(session, options);
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /** Names of the inputs. */
  get inputs(): readonly string[] {
    return this.#session.inputNames;
  }

  async predict(batch: Batch): Promise<Answer> {
    const parts: Answer[] = [];
    for (const [from, to] of this.#ranges(batch)) parts.push(await this.#run(batch, from, to));
    return parts.length === 1 ? (parts[0] as Answer) : joined(parts);
  }

  /** Every output as it is, for ranges of a batch's rows that go into one run, one after the other. */
  async *outputs(batch: Batch): AsyncGenerator<{ from: number; to: number; outputs: ReadonlyMap<string, Tensor> }> {
    for (const [from, to] of this.#ranges(batch)) {
      yield { from, to, outputs: await this.#outputs(this.#inputs.feeds(batch, from, to)) };
    }
  }

  /** Milliseconds that runs of one row of a batch take: the median and the 95th percentile of `runs`, of fewer for a slow model. */
  async latency(batch: Batch, runs = 200): Promise<{ readonly p50: number; readonly p95: number }> {
    const times: number[] = [];
    const until = performance.now() + longestTimingMs;
    for (let run = -Math.ceil(runs / 10); run < runs; run++) {
      const row = Math.abs(run) % batch.rows;
      const feeds = this.#inputs.feeds(batch, row, row + 1);
      const start = performance.now();
      await this.#session.run(feeds);
      if (run >= 0) times.push(performance.now() - start);
      if (performance.now() > until && times.length > 0) break;
    }
    times.sort((a, b) => a - b);
    const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;
    return { p50: at(0.5), p95: at(0.95) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release();
  }

  *#ranges(batch: Batch): Generator<readonly [from: number, to: number]> {
    for (let from = 0; from < batch.rows; from += mostRows) {
      yield* this.#inputs.runs(batch, from, Math.min(batch.rows, from + mostRows));
    }
  }

  async #run(batch: Batch, from: number, to: number): Promise<Answer> {
    const outputs = await this.#outputs(this.#inputs.feeds(batch, from, to));
    const rows = to - from;
    if (this.#scores !== undefined) return this.#scores.read(outputs, rows);
    const numbers = [...outputs].find(([, { type, size }]) => isNumber(type) && size === rows);
    if (numbers === undefined)
      throw unfit(`No output of the model has one number for each of ${rows} rows: ${shapes(outputs)}.`);
    return { kind: "numbers", values: Array.from(numbers[1].data as ArrayLike<number>, Number) };
  }

  async #outputs(feeds: Record<string, Tensor>): Promise<Map<string, Tensor>> {
    const wanted = this.#session.outputMetadata.filter(({ isTensor }) => isTensor).map(({ name }) => name);
    if (wanted.length === 0) throw unfit("The model has no output that is a tensor.");
    try {
      const answer = await this.#session.run(feeds, wanted);
      return new Map(wanted.map((name) => [name, answer[name] as Tensor]));
    } catch (cause) {
      throw unfit(`The model fails on rows of the dataset: ${sentence(cause)}`, { cause });
    }
  }
}

async function load(model: string | Uint8Array, threads: number): Promise<InferenceSession> {
  const options = { intraOpNumThreads: threads, interOpNumThreads: 1, logSeverityLevel: 3 } as const;
  try {
    const derived = derivedBytes(typeof model === "string" ? await readFile(model) : model);
    if (typeof model !== "string") return await InferenceSession.create(derived ?? model, options);
    if (derived === undefined) return await InferenceSession.create(model, options);
    const extra = { session: { model_external_initializers_file_folder_path: dirname(model) } };
    return await InferenceSession.create(derived, { ...options, extra });
  } catch (cause) {
    throw unfit(`The model cannot be loaded: ${sentence(cause)}`, { cause });
  }
}

/** The graph a replica would load of a file; undefined: the file's own. */
function derivedBytes(bytes: Uint8Array): Uint8Array | undefined {
  const { model, isDerived } = loadableGraph(readModel(bytes));
  return isDerived ? writeModel(model) : undefined;
}

function sentence(cause: unknown): string {
  return String(cause instanceof Error ? cause.message : cause).slice(0, 300);
}

function joined(parts: readonly Answer[]): Answer {
  if (parts.every((part) => part.kind === "numbers")) {
    return { kind: "numbers", values: parts.flatMap(({ values }) => Array.from(values)) };
  }
  const classes = parts.filter((part) => part.kind === "classes");
  const probabilities = classes.map((part) => part.probabilities).filter((p) => p !== undefined);
  return {
    kind: "classes",
    indices: Int32Array.from(classes.flatMap(({ indices }) => [...indices])),
    ...(probabilities.length === classes.length && {
      probabilities: Float64Array.from(probabilities.flatMap((p) => [...p])),
    }),
  };
}
