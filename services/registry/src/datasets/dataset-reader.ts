import type { ArtifactStore } from "@aimass/artifacts";
import { Semaphore } from "@aimass/core";
import type { Limits } from "@aimass/datasets";
import { tooBusy } from "./apart/errors.ts";
import type { Preview, PreviewJob, Profile, ProfileJob } from "./apart/messages.ts";
import { type ReadingBounds, readApart } from "./apart/reading-process.ts";

export interface DatasetReaderOptions {
  readonly artifacts: Pick<ArtifactStore, "open">;
  readonly limits: Partial<Limits>;
  readonly bounds: ReadingBounds;
  /** Files read whole at the same time, and first rows besides. */
  readonly concurrency: number;
  /** Aborts when the registry ends. */
  readonly ending: AbortSignal;
}

/** Calls that may wait for their turn; each holds no more than its place in the queue. */
const maxWaiting = 64;
const previewTimeoutMs = 30_000;

/** Looks into the files of datasets, each in a process of its own. */
export class DatasetReader {
  readonly #options: DatasetReaderOptions;
  readonly #profiles: Semaphore;
  readonly #previews: Semaphore;

  constructor(options: DatasetReaderOptions) {
    this.#options = options;
    this.#profiles = new Semaphore(options.concurrency);
    this.#previews = new Semaphore(options.concurrency);
  }

  /** Reads an artifact whole. Errors: INVALID_ARGUMENT, RESOURCE_EXHAUSTED, NOT_FOUND. */
  profile(sha256: string, job: Omit<ProfileJob, "kind" | "limits">, signal: AbortSignal): Promise<Profile> {
    const { artifacts, limits, bounds, ending } = this.#options;
    return inTurn(this.#profiles, AbortSignal.any([signal, ending]), async (either) => {
      await using artifact = await artifacts.open(sha256);
      return await readApart({ kind: "profile", limits, ...job }, artifact, bounds, either);
    });
  }

  /** Reads the first rows. Errors: as `profile`. */
  preview(sha256: string, job: Omit<PreviewJob, "kind" | "limits">, signal: AbortSignal): Promise<Preview> {
    const { artifacts, limits, ending } = this.#options;
    const bounds = { ...this.#options.bounds, timeoutMs: Math.min(previewTimeoutMs, this.#options.bounds.timeoutMs) };
    return inTurn(this.#previews, AbortSignal.any([signal, ending]), async (either) => {
      await using artifact = await artifacts.open(sha256);
      return await readApart({ kind: "preview", limits, ...job }, artifact, bounds, either);
    });
  }
}

async function inTurn<T>(
  places: Semaphore,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (places.waiting >= maxWaiting) throw tooBusy(maxWaiting);
  return places.run(() => work(signal), signal);
}
