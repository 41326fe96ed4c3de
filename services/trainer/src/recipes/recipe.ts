import type { EvaluationReportSchema } from "@aimass/api/trainer";
import type { Estimator, Task } from "@aimass/learn";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { TrainingTable } from "../table/training-table.ts";

/** Something a recipe may be told. */
export type RecipeParameter = NumberParameter | ChoiceParameter;

/** A number. */
export interface NumberParameter {
  readonly name: string;
  /** One sentence: meaning and unit. */
  readonly description: string;
  readonly defaultValue: number;
  /** Bounds, inclusive. */
  readonly minimum: number;
  readonly maximum: number;
  /** Whether only whole numbers are taken. */
  readonly whole?: boolean;
}

/** One of some words. */
export interface ChoiceParameter {
  readonly name: string;
  readonly description: string;
  readonly choices: readonly string[];
  /** Empty where it depends on the task. */
  readonly defaultChoice: string;
}

/** Tells how a training goes. Everything here is cheap to call often. */
export interface Reporter {
  /** `fraction` of the job, 0–1; `doing` in words; the step where there are steps. */
  progress(fraction: number, doing: string, step?: Step): void;
  /** A line of the job's log, for whoever trains. */
  log(line: string): void;
  /** A sentence about data or model that stays with the job. */
  warn(sentence: string): void;
  /** A point of a curve, for instance the loss after a step. */
  metric(name: string, step: number, value: number): void;
  /** What is known of the model so far; the last one stays. */
  evaluated(report: MessageInitShape<typeof EvaluationReportSchema>): void;
  /** What a later attempt needs to go on from here, at most 64 MiB; larger ones are left out. The last one stays. */
  checkpoint(state: Uint8Array): void;
}

/** Where an iterative fit is. */
export interface Step {
  readonly step: number;
  /** There will be at most. */
  readonly steps: number;
  readonly loss?: number;
}

/** What a streamed recipe gets to work with. */
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

interface RecipeFacts {
  readonly name: string;
  readonly description: string;
  readonly tasks: readonly Task[];
  readonly parameters: readonly RecipeParameter[];
}

/**
 * A recipe over number columns alone that never holds the rows: constant memory, one input `x` (`train.ts`). Errors are AimassErrors whose sentence
 * names the column or parameter; equal input gives equal output.
 */
export interface StreamedRecipe extends RecipeFacts {
  readonly kind: "streamed";
  fit(input: FitInput): Promise<FittedModel>;
}

/** A recipe that makes features of columns of any type and fits an estimator of @aimass/learn to the matrix (`estimators/train-estimator.ts`). */
export interface EstimatorRecipe extends RecipeFacts {
  readonly kind: "estimator";
  readonly estimators: Readonly<Partial<Record<Task, Estimator>>>;
  /** Whether features must not be negative. */
  readonly nonNegative: boolean;
}

/** A built-in way to train. A job goes split → features → fit → evaluate → gate → export → register, whatever the recipe. */
export type Recipe = StreamedRecipe | EstimatorRecipe;
