import type { Axis, Datatype, GraphBuilder } from "@aimass/onnx";
import type { Matrix } from "./matrix.ts";
import type { Json } from "./packed-array.ts";
import type { Random } from "./random.ts";
import type { ClassLabels, Prediction, Targets } from "./targets.ts";

export type Task = "regression" | "classification";

/** Values of parameters by name. */
export type Parameters = { readonly [name: string]: number | string };

/** A knob of an estimator. */
export type ParameterSpec = NumberSpec | ChoiceSpec;

export interface NumberSpec {
  readonly kind: "number" | "integer";
  readonly name: string;
  readonly default: number;
  /** Bounds, inclusive. */
  readonly minimum: number;
  readonly maximum: number;
  /** One sentence: meaning and unit. */
  readonly meaning: string;
  /** Where a search should look: evenly or by powers, from and to; absent: not worth searching. */
  readonly search?: { readonly scale: "linear" | "log"; readonly from: number; readonly to: number };
}

export interface ChoiceSpec {
  readonly kind: "choice";
  readonly name: string;
  readonly default: string;
  readonly choices: readonly string[];
  readonly meaning: string;
  /** Whether a search should try the choices. */
  readonly search?: boolean;
}

/** Everything a fit gets beside the data. */
export interface FitOptions {
  /** By name; those left out have their defaults. Unknown names and values out of bounds are INVALID_ARGUMENT. */
  readonly parameters?: Parameters;
  /** How much each row counts, ≥ 0; 1 unless given. */
  readonly weights?: Float64Array;
  /** The source of every random choice: the same seed and data give the same model, bit for bit. */
  readonly random: Random;
  /** Looked at every 100 ms at most; the fit then throws its reason. */
  readonly signal?: AbortSignal;
  /** Called after a step (iteration, tree) with the steps there will be at most and the loss on what it is fitted to. */
  readonly onProgress?: (step: number, steps: number, loss: number) => void;
  /** Told what a person should know of the fit, in a sentence or two. */
  readonly onWarning?: (sentence: string) => void;
  /** Iterative estimators hand over, every `checkpointEveryMs` (30 000 unless given), what `resume` needs to go on from there. */
  readonly onCheckpoint?: (checkpoint: Json) => void;
  readonly checkpointEveryMs?: number;
  /** For each column how far a value in serving may be from the one here. Trees divide between no two values that this makes one; neighbours that it makes as near are as near. Default: no value differs. */
  readonly tolerances?: Float32Array;
  /** Threads that may work at the same time, 1 unless given. The model does not depend on it. */
  readonly threads?: number;
  /** A checkpoint of a fit with the same data, parameters and seed. The outcome is the one of a fit that was never interrupted. */
  readonly resume?: Json;
}

/** Rows that need not fit into memory: read as often as a fit wants, in the same order each time. */
export interface RowStream {
  readonly rows: number;
  readonly cols: number;
  readonly layout: "dense" | "sparse";
  /** "numbers", or the classes there are. */
  readonly targets: { readonly kind: "numbers" } | { readonly kind: "classes"; readonly labels: ClassLabels };
  /** One pass over all rows in batches (any sizes ≥ 1 row). A batch may be overwritten once the next one is asked for. */
  batches(signal?: AbortSignal): AsyncIterable<RowBatch>;
}

export interface RowBatch {
  readonly x: Matrix;
  readonly y: Targets;
}

/** Learns from rows. Stateless; a fit may run at the same time as others. */
export interface Estimator {
  /** Stable, for instance "logistic-regression". */
  readonly name: string;
  readonly task: Task;
  readonly description: string;
  readonly parameters: readonly ParameterSpec[];
  /** Whether sparse rows are used as they are; others make them dense, up to a limit. */
  readonly sparse: boolean;
  /** Whether NaN cells are understood as missing; elsewhere they are INVALID_ARGUMENT. */
  readonly missing: boolean;
  /** Leaves `x` and `y` as they are. */
  fit(x: Matrix, y: Targets, options: FitOptions): Promise<Fitted>;
  /**
   * `fit` over rows that are read again for every pass; memory does not grow with the rows beyond what its docstring says. Absent: all rows must be in
   * memory. The outcome is that of `fit` up to rounding.
   */
  readonly fitStream?: (rows: RowStream, options: FitOptions) => Promise<Fitted>;
  /** The inverse of Fitted.toJson; DATA_LOSS when `json` is something else. */
  fromJson(json: Json): Fitted;
}

/** A value of the graph that is to be an output of the model. */
export interface GraphOutput {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly Axis[];
}

/** The outcome of a fit. */
export interface Fitted {
  /** Columns a row has to have. */
  readonly cols: number;
  predict(x: Matrix): Prediction;
  /**
   * Adds the calculation to a graph that has `input`, FP32 [N, cols], and returns what it made: "value" FP32 [N, 1] for a regression; "label" (BYTES or
   * INT64) [N] and "probabilities" FP32 [N, classes] for a classification. They are values, not yet outputs: see `declareOutputs`. The graph needs
   * `graphDomains`.
   */
  addToGraph(graph: GraphBuilder, input: string): readonly GraphOutput[];
  /** Everything it is, to be read back by the estimator's fromJson. */
  toJson(): Json;
}

/** Operator sets beside ai.onnx that the estimators' graphs use; for GraphOptions.domains. */
export const graphDomains: Readonly<Record<string, number>> = { "ai.onnx.ml": 3 };

/** Makes values outputs of the graph. */
export function declareOutputs(graph: GraphBuilder, outputs: readonly GraphOutput[]): void {
  for (const { name, datatype, shape } of outputs) graph.output(name, datatype, shape);
}
