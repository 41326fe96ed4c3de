import { createHash } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, cpus } from "node:os";
import type { ServingPlan } from "../servables/serving-plan.ts";
import type { SessionOptions } from "../slots/open-model.ts";
import type { ModelProfile } from "./model-profile.ts";

/** Changes when profiles are made in another way. */
const edition = 2;

/** A profile, and the memory that was left when it was made. */
export interface ProfileNote {
  readonly profile: ModelProfile;
  readonly availableBytes: number;
}

/**
 * Profiles on disk, each beside the graph that it is of, so that they are thrown away together. A version with a note was served here before: it needs no
 * measuring, and comes first after a restart.
 */
export class ProfileNotes {
  readonly #runtimeVersion = runtimeVersion();

  /** The note of a graph under these options; undefined when there is none, or none that can be read. */
  async load(options: SessionOptions, plan: ServingPlan): Promise<ProfileNote | undefined> {
    try {
      const note = JSON.parse(await readFile(this.#path(options, plan), "utf8"));
      return Array.isArray(note?.profile?.runs) ? note : undefined;
    } catch {
      return undefined;
    }
  }

  /** Keeps a note. Rejects when the disk refuses. */
  async save(options: SessionOptions, plan: ServingPlan, note: ProfileNote): Promise<void> {
    const path = this.#path(options, plan);
    const draft = `${path}.${process.pid}`;
    await writeFile(draft, JSON.stringify(note), { mode: 0o600 });
    await rename(draft, path);
  }

  #path({ path, threads, executionProviders }: SessionOptions, plan: ServingPlan): string {
    const machine = [edition, this.#runtimeVersion, process.version, arch(), cpus()[0]?.model];
    const terms = [threads, executionProviders, plan.maxBatchSize, plan.runLimitMs, plan.batchable, plan.inputs];
    const key = createHash("sha256")
      .update(JSON.stringify([machine, terms]))
      .digest("hex")
      .slice(0, 16);
    return `${path}.profile-${key}`;
  }
}

function runtimeVersion(): string {
  try {
    return String(createRequire(import.meta.url)("onnxruntime-node/package.json").version);
  } catch {
    return "";
  }
}
