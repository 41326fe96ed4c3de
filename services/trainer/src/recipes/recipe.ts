import type { EvaluationReportSchema } from "@aimass/api/trainer";
import type { Estimator, Task } from "@aimass/learn";
import type { MessageInitShape } from "@bufbuild/protobuf";

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

/** A built-in way to train: features of columns of any type, and an estimator of @aimass/learn for each task. */
export interface EstimatorRecipe {
  readonly kind: "estimator";
  readonly name: string;
  readonly description: string;
  readonly tasks: readonly Task[];
  readonly parameters: readonly RecipeParameter[];
  readonly estimators: Readonly<Partial<Record<Task, Estimator>>>;
  /** Whether features must not be negative. */
  readonly nonNegative: boolean;
  /** Whether it takes columns of numbers alone unless others are named. */
  readonly numbersOnly: boolean;
}

export type Recipe = EstimatorRecipe;
