import type { Address } from "@aimass/core";

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
}

/** What a worker tells. The last message is `succeeded` or `failed`; a worker that ends without one has died. */
export type WorkerMessage =
  | { readonly kind: "started" }
  | { readonly kind: "progress"; readonly fraction: number; readonly doing: string }
  | { readonly kind: "log"; readonly line: string }
  | {
      readonly kind: "succeeded";
      readonly metrics: Readonly<Record<string, number>>;
      readonly modelVersion: bigint;
      readonly reason: string;
    }
  | {
      readonly kind: "failed";
      readonly reason: string;
      /** Whether a later attempt may do better. */
      readonly passing: boolean;
      readonly metrics: Readonly<Record<string, number>>;
    };
