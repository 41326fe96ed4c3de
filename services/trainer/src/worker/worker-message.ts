import type { Address } from "@aimass/core";
import type { DatasetLimits } from "@aimass/datasets";
import type { ScriptSettings } from "../scripts/script-settings.ts";

/** What a worker is told: one job, and how to reach the registry. It never learns of the database. */
export interface RunMessage {
  readonly kind: "run";
  readonly jobId: string;
  /** JobSpec as protobuf, resolved. */
  readonly spec: Uint8Array;
  readonly createdBy: string;
  readonly traceparent: string;
  readonly identityFile: string;
  readonly trustFile: string;
  readonly registryAddresses: readonly Address[];
  /** The job's own folder, as JobWork.directory. */
  readonly directory: string;
  /** As JobWork.threads. */
  readonly threads: number;
  /** As JobWork.gpus. */
  readonly gpus: readonly string[];
  /** As JobWork.datasetLimits. */
  readonly datasetLimits: DatasetLimits;
  /** As JobWork.scripts. */
  readonly scripts?: ScriptSettings | undefined;
  /** Points of curves that may still be told. */
  readonly points: number;
  /** Where checkpoints are handed over, beside `directory`: large ones do not go over the channel. */
  readonly checkpointDirectory: string;
  /** The file of an earlier attempt's checkpoint. */
  readonly checkpointFile: string | undefined;
  /** Its bytes: never sent, filled in by the worker. */
  readonly checkpoint?: Uint8Array | undefined;
}

/** One line of the log or one point of a curve, in the order they were told. */
export type JobNews =
  | { readonly kind: "log"; readonly line: string }
  | { readonly kind: "metric"; readonly name: string; readonly step: number; readonly value: number };

/** What a worker tells. The last message is `succeeded` or `failed`; a worker that ends without one has died. */
export type WorkerMessage =
  | { readonly kind: "started" }
  | {
      readonly kind: "progress";
      readonly fraction: number;
      readonly doing: string;
      readonly step?: { readonly step: number; readonly steps: number; readonly loss?: number };
    }
  | JobNews
  | { readonly kind: "warning"; readonly sentence: string }
  /** EvaluationReport as protobuf. */
  | { readonly kind: "report"; readonly report: Uint8Array }
  /** A whole file that the trainer may delete. */
  | { readonly kind: "checkpoint"; readonly file: string; readonly bytes: number }
  | {
      readonly kind: "succeeded";
      readonly metrics: Readonly<Record<string, number>>;
      readonly modelVersion: bigint;
      readonly reason: string;
      /** Whether spec.alias was moved to the version. */
      readonly aliasMoved: boolean;
    }
  | {
      readonly kind: "failed";
      readonly reason: string;
      /** Whether a later attempt may do better. */
      readonly passing: boolean;
      readonly metrics: Readonly<Record<string, number>>;
    };
