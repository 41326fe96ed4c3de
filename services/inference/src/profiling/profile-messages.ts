import type { SessionOptions } from "../slots/open-model.ts";
import type { Probe } from "../slots/probe-run.ts";

/** What a profiling process is asked, one after another. */
export type ProfileAsk =
  | { readonly kind: "open"; readonly options: SessionOptions }
  | { readonly kind: "run"; readonly probe: Probe }
  | { readonly kind: "close" };

/** What a step took. */
export interface StepCost {
  /** Microseconds on the clock. */
  readonly wallMicros: number;
  /** Microseconds of CPU of all threads together. */
  readonly cpuMicros: number;
  /** Most memory held at any moment of the step beyond what the empty process has, in bytes. */
  readonly peakBytes: number;
}

/** How a profiling process answers. */
export type ProfileReply =
  | ({ readonly ok: true; readonly digest?: Uint8Array } & StepCost)
  | { readonly ok: false; readonly message: string };
