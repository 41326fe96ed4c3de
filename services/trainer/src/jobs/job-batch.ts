import type { JobNews } from "../worker/worker-message.ts";

/** What a worker told since it was last stored. */
export interface JobBatch {
  /** From 1, in order, within an attempt: a batch that comes twice is stored once. */
  readonly number: number;
  readonly started: boolean;
  /** As it stands now. */
  readonly progress:
    | {
        readonly fraction: number;
        readonly doing: string;
        readonly step: { readonly step: number; readonly steps: number; readonly loss?: number } | undefined;
        /** Undefined while it cannot be told. */
        readonly remainingMs: number | undefined;
      }
    | undefined;
  readonly warnings: readonly string[];
  readonly news: readonly JobNews[];
  /** EvaluationReport as protobuf. */
  readonly report: Uint8Array | undefined;
}
