import type { TrainingTable } from "../table/training-table.ts";

/** A number a recipe may be told. */
export interface RecipeParameter {
  readonly name: string;
  /** One sentence: meaning and unit. */
  readonly description: string;
  readonly defaultValue: number;
  /** Bounds, inclusive. */
  readonly minimum: number;
  readonly maximum: number;
}

/** Tells how a training goes. */
export interface Reporter {
  /** `fraction` of the step that runs now, 0–1; `doing` in words. Cheap to call often. */
  progress(fraction: number, doing: string): void;
  /** A line of the job's log, for whoever trains. */
  log(line: string): void;
}

/** What a recipe gets to work with. */
export interface FitInput {
  /** The training part; can be read as often as needed, each time from the start. */
  readonly table: TrainingTable;
  /** Every parameter of the recipe, checked against its bounds. */
  readonly parameters: Readonly<Record<string, number>>;
  readonly report: Reporter;
  readonly signal: AbortSignal;
}

/** What fitting leaves: a function, and the same function as one ONNX graph. */
export interface FittedModel {
  /** Predicts one row. `features` are in the table's order and rounded to FP32, as served requests are. */
  predict(features: Float64Array): number;
  /**
   * The graph with its own preprocessing inside: input `x` FP32 [-1, features], output `y` FP32 [-1, 1]. Must be a pure function of the fit, byte for byte,
   * so that a job that runs twice makes the same artifact. For equal rows it gives what `predict` gives, within 1e-5 of the larger of 1 and |y|.
   */
  toOnnx(): Uint8Array;
}

/**
 * A built-in way to train. A job goes split → features → fit → evaluate → gate → export → register; a recipe is the middle of it, the rest is the same
 * for all (`train.ts`). A new one is a folder here with its recipe and a line in `catalogue.ts`.
 *
 * Rules: constant memory in the number of rows; errors are AimassErrors whose sentence names the column or parameter; equal input gives equal output.
 */
export interface Recipe {
  readonly name: string;
  readonly description: string;
  readonly parameters: readonly RecipeParameter[];
  fit(input: FitInput): Promise<FittedModel>;
}
