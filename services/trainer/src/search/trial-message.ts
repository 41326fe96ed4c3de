import type { Folds } from "../data/row-selection.ts";
import type { TrainingFacts } from "../data/training-data.ts";
import type { RunOutcome } from "./run-search.ts";
import type { TrialRun } from "./trial.ts";

/** What all trials of a search have in common. It goes to their processes: plain data. */
export interface TrialSetup {
  /** The job's own copy of the dataset, and what it taught. */
  readonly path: string;
  readonly facts: TrainingFacts;
  /** Undefined: trials are scored on the validation part. */
  readonly folds: Folds | undefined;
  /** JobSpec as protobuf. */
  readonly spec: Uint8Array;
  /** Name of the metric they are scored by. */
  readonly metric: string;
  readonly directory: string;
  /** Each of them may use. */
  readonly threads: number;
  /** Bytes the rows of a trial may take in memory. */
  readonly memoryBytes: number;
}

/** To a trial's process: first the setup, then one run after the other. */
export type ToTrial =
  | { readonly kind: "setup"; readonly setup: TrialSetup }
  | { readonly kind: "score"; readonly run: TrialRun };

/** From a trial's process. The last of a run is `scored` or `failed`; a process that ends without one has died. */
export type FromTrial = { readonly kind: "fold"; readonly done: number; readonly folds: number } | RunOutcome;
