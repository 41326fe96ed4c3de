import type { UploadPlan } from "./artifact-store.ts";

/** An upload as the storage remembers it. */
export interface StagedUpload {
  readonly plan: UploadPlan;
  /** Bytes that survive the process. */
  readonly keptBytes: number;
  /** When the last byte came, in milliseconds since the epoch. */
  readonly touchedAtMs: number;
}

/** Where unfinished uploads live: the part of a store that differs from storage to storage. Calls for one upload come one after another. */
export interface Staging {
  /** Remembers a plan with nothing received. Throws RESOURCE_EXHAUSTED when there is no room. */
  create(id: string, plan: UploadPlan): Promise<void>;
  find(id: string): Promise<StagedUpload | undefined>;
  /** Opens what is there for more, feeding the kept bytes to `seen` in order. */
  open(id: string, staged: StagedUpload, seen: (chunk: Uint8Array) => void): Promise<StagedWriter>;
  /** Removes the plan last: what a crash leaves of an upload is found again by `ids`. */
  drop(id: string): Promise<void>;
  /** The uploads that have a plan. */
  ids(): AsyncIterable<string>;
}

/** Writes one upload. Holds no system resource between calls. */
export interface StagedWriter {
  /** Where the writer believes the kept bytes end; another process may have moved on. */
  readonly keptBytes: number;
  /** Adds bytes; throws StagingMoved when the storage does not end where the writer believes. */
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the verified bytes the artifact, at once and durably. */
  commit(): Promise<void>;
}

/** Another process wrote to the same upload: what this process knows of it is stale. */
export class StagingMoved extends Error {
  override readonly name = "StagingMoved";

  constructor() {
    super("The upload was continued by another process.");
  }
}
