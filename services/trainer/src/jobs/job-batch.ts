import type { JobRow } from "../database.ts";
import type { JobNews } from "../worker/worker-message.ts";
import type { JobChange } from "./job-journal.ts";

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

/** What a batch changes of its job; undefined for nothing but news. */
export function changeBy({ started, progress, warnings }: JobBatch, row: JobRow, now: Date): JobChange | undefined {
  if (!started && progress === undefined && warnings.length === 0) return undefined;
  const { step } = progress ?? {};
  const isStopping = row.cancel_requested;
  return {
    ...(started && { state: "RUNNING", started_at: row.started_at ?? now, state_reason: "Running." }),
    ...(progress !== undefined && { progress: progress.fraction, remaining_ms: progress.remainingMs ?? null }),
    ...(progress !== undefined && !isStopping && { state_reason: progress.doing }),
    ...(step !== undefined && { step: step.step, steps: step.steps, loss: finite(step.loss) }),
    ...(warnings.length > 0 && { warnings: JSON.stringify([...row.warnings, ...warnings]) }),
  };
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
