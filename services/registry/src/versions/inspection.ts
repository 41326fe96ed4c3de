import { mkdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Signature } from "@aimass/api/registry";
import type { ArtifactStore } from "@aimass/artifacts";
import { AimassError, Semaphore } from "@aimass/core";
import { type BundleEntry, manifestPath } from "./bundle.ts";
import { type Manifest, maxManifestBytes, noManifest } from "./manifest.ts";
import { readManifestApart } from "./manifest-reader.ts";
import type { WorkDirectory } from "./work-directory.ts";

/** What an inspection found. */
export interface Inspection {
  readonly signature: Signature;
  readonly manifest: Manifest;
}

/** Loads the model that lies in a directory, runs it once where it can do no harm, and says what it takes and gives. Throws when it is no good. */
export type Probe = (directory: string) => Promise<Signature>;

export interface InspectorOptions {
  readonly artifacts: ArtifactStore;
  readonly work: WorkDirectory;
  readonly probe: Probe;
  /** Trials at the same time. */
  readonly concurrency: number;
}

/** Bundles that may wait for a trial; each holds no more than its place in the queue. */
const maxWaiting = 64;

/** Looks into bundles before they are registered. */
export class Inspector {
  readonly #options: InspectorOptions;
  readonly #places: Semaphore;

  constructor(options: InspectorOptions) {
    this.#options = options;
    this.#places = new Semaphore(options.concurrency);
  }

  /** Errors: INVALID_ARGUMENT, FAILED_PRECONDITION (it crashes the runtime), RESOURCE_EXHAUSTED (no disk, or too many wait). */
  inspect(bundle: readonly BundleEntry[]): Promise<Inspection> {
    if (this.#places.waiting >= maxWaiting) {
      throw new AimassError("RESOURCE_EXHAUSTED", `${maxWaiting} other bundles wait for inspection.`, {
        reason: "INSPECTIONS_BUSY",
        remedy: "Try again later.",
        retryAfterMs: 30_000,
      });
    }
    return this.#places.run(() =>
      this.#options.work.run(async (directory) => {
        for (const entry of bundle) await this.#bring(entry, directory);
        const manifest = await readBundleManifest(bundle, directory);
        return { manifest, signature: withClasses(await this.#options.probe(directory), manifest) };
      }),
    );
  }

  async #bring(entry: BundleEntry, directory: string): Promise<void> {
    const path = join(directory, ...entry.path.split("/"));
    await mkdir(dirname(path), { recursive: true });
    await this.#options.artifacts.copyTo(entry.sha256, path);
  }
}

async function readBundleManifest(bundle: readonly BundleEntry[], directory: string): Promise<Manifest> {
  if (!bundle.some((entry) => entry.path === manifestPath)) return noManifest;
  const path = join(directory, manifestPath);
  const { size } = await stat(path);
  if (size > maxManifestBytes) {
    throw new AimassError("INVALID_ARGUMENT", `model.yaml has ${size} bytes.`, {
      field: manifestPath,
      remedy: `At most ${maxManifestBytes} fit.`,
    });
  }
  return readManifestApart(await readFile(path, "utf8"));
}

function withClasses(signature: Signature, manifest: Manifest): Signature {
  for (const [name, labels] of manifest.classes) {
    const output = signature.outputs.find((spec) => spec.name === name);
    if (output === undefined) {
      throw new AimassError("INVALID_ARGUMENT", `model.yaml names an output "${name}" that the model does not have.`, {
        field: manifestPath,
        remedy: `It has ${signature.outputs.map((spec) => spec.name).join(", ")}.`,
      });
    }
    output.labels = [...labels];
  }
  return signature;
}
