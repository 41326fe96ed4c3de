import type { ModelProfile } from "../profiling/model-profile.ts";
import type { SlotSession } from "../slots/slot.ts";

/** How far a servable is. */
export type ServableState =
  | { readonly kind: "fetching"; readonly reason: string }
  | { readonly kind: "loading" }
  | { readonly kind: "warming" }
  | { readonly kind: "ready" }
  | { readonly kind: "unloading" }
  | { readonly kind: "failed"; readonly reason: string };

/** What a load found out. */
export interface LoadFacts {
  /** None while the servable is put aside. */
  readonly sessions: readonly SlotSession[];
  /** What the sessions take, here or put aside. */
  readonly memoryBytes: number;
  /** What they would take with single rows alone. */
  readonly leastBytes: number;
  /** Whether its sessions have threads of their own. */
  readonly isApart: boolean;
  readonly profile: ModelProfile;
  /** Rows a batch may have here, and why that is less than was asked for ("" when it is not). */
  readonly maxBatchSize: number;
  readonly batchLimit: string;
  /** What making the sessions took, without fetching and warming. */
  readonly openMicros: number;
  readonly loadMicros: number;
  readonly parityDigest: Uint8Array;
}

/** Hears what a servable did, for metrics. Durations in seconds. */
export interface ServableObserver {
  queued(seconds: number): void;
  ran(seconds: number, rows: number): void;
  /** Its requests no longer share runs: it did not keep their rows apart. */
  stoppedBatching(reason: string): void;
}

/** Whether requests share runs now, and why. */
export interface BatchingState {
  readonly shared: boolean;
  readonly reason: string;
}
