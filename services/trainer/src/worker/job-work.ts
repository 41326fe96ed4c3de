import type { BundleFileSchema, DatasetVersion } from "@aimass/api/registry";
import type { EvaluationReportSchema, JobSpec } from "@aimass/api/trainer";
import type { Clock } from "@aimass/core";
import type { DatasetLimits } from "@aimass/datasets";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RegistryLibrary } from "../library/registry-library.ts";
import type { Reporter } from "../recipes/recipe.ts";
import type { ScriptSettings } from "../scripts/script-settings.ts";

/** Everything a way to train gets. */
export interface JobWork {
  readonly jobId: string;
  /** Resolved: version, task, features and parameters are filled in. */
  readonly spec: JobSpec;
  readonly dataset: DatasetVersion;
  /** The registry in the name of the job's creator. */
  readonly library: RegistryLibrary;
  readonly report: Reporter;
  /** What an earlier attempt handed to `report.checkpoint` last; undefined at the first attempt. */
  readonly checkpoint: Uint8Array | undefined;
  /** A folder of the job's own; it goes when the job ends, however that is. */
  readonly directory: string;
  /** CPUs the job may use, 1 or more. */
  readonly threads: number;
  /** The worker's heap limit: what a job may hold at about the same time. */
  readonly memoryBytes: number;
  /** Devices that are the job's alone while it runs, as CUDA numbers them. */
  readonly gpus: readonly string[];
  /** What the dataset may ask of its reader. */
  readonly datasetLimits: DatasetLimits;
  /** How scripts run here; absent: they do not. */
  readonly scripts?: ScriptSettings | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A model and what the registry is to know of it. Gates are judged after it, whatever made it. */
export interface MadeModel {
  /** "model.onnx" and the files it refers to, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** As Job.metrics: of the held-out part by name, of others with a prefix. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly report: MessageInitShape<typeof EvaluationReportSchema>;
  /** The split as lineage keeps it. */
  readonly split: string;
  readonly baselineJson: string;
  /** A sentence about the inputs, for the version's description. */
  readonly inputs: string;
  /** Of a classification: the classes in the order of the output of scores. */
  readonly classes: readonly string[];
  /** The name of that output; "probabilities" unless given. */
  readonly scores?: string;
  readonly featurePlanJson?: string;
  /** Of a script its command, of a search what was tried. */
  readonly howJson?: string;
  /** Of a search: what it found, with every parameter. */
  readonly chosen?: ChosenRecipe;
  readonly code?: readonly MessageInitShape<typeof BundleFileSchema>[];
}

export interface ChosenRecipe {
  readonly recipe: string;
  readonly parameters: Readonly<Record<string, number>>;
  readonly choices: Readonly<Record<string, string>>;
}
