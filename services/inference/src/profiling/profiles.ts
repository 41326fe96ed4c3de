import type { Logger } from "@aimass/telemetry";
import type { ModelProfile } from "./model-profile.ts";
import type { ProfileNotes } from "./profile-notes.ts";
import type { Profiler, ProfileTerms } from "./profiler.ts";

/** More memory than at the last profile by this factor makes it worth another, where memory was what kept batches small. */
const moreMemory = 1.5;

/** Profiles of versions: from the disk, or measured now. */
export class Profiles {
  readonly #profiler: Profiler;
  readonly #notes: ProfileNotes;
  readonly #log: Logger;

  constructor(options: { profiler: Profiler; notes: ProfileNotes; log: Logger }) {
    this.#profiler = options.profiler;
    this.#notes = options.notes;
    this.#log = options.log;
  }

  /** Rejects like `Profiler.profile`. */
  async of(terms: ProfileTerms): Promise<ModelProfile> {
    const { options, plan, availableBytes } = terms;
    const note = await this.#notes.load(options, plan);
    const isOutgrown = note?.profile.stopped.includes("memory") && availableBytes > moreMemory * note.availableBytes;
    if (note !== undefined && !isOutgrown) return note.profile;
    const profile = await this.#profiler.profile(terms);
    await this.#notes
      .save(options, plan, { profile, availableBytes })
      .catch((error: unknown) => this.#log.warn("a profile could not be kept", { error }));
    return profile;
  }
}
