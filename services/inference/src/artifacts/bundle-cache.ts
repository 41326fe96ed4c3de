import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, link, mkdir, open, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BundleFile, Version } from "@aimass/api/registry";
import { AimassError, Backoff, type Clock } from "@aimass/core";
import type { ArtifactSource } from "./artifact-source.ts";
import { draftName } from "./draft-name.ts";
import { partSuffix } from "./sweep-drafts.ts";

/** Broken reads of one file that are taken up again before the fetch fails. */
const attempts = 5;

/**
 * The files of model versions on this machine's disk, shared by its replicas: `blobs/<sha256>` once each, and `bundles/<digest>/…` as hard links to them. Files
 * appear under their name only when they are whole and their digest is right, so that a crash leaves nothing half-written behind.
 */
export class BundleCache {
  readonly #directory: string;
  readonly #source: ArtifactSource;
  readonly #clock: Clock;

  constructor(options: { directory: string; source: ArtifactSource; clock: Clock }) {
    this.#directory = options.directory;
    this.#source = options.source;
    this.#clock = options.clock;
  }

  /**
   * The folder with the version's files, fetched where they are not here yet. Rejects with UNAVAILABLE, NOT_FOUND or PERMISSION_DENIED from the source, DATA_LOSS for bytes that do not
   * match their digest, INVALID_ARGUMENT for a path that leaves the bundle.
   */
  async ensure(version: Version, signal: AbortSignal): Promise<string> {
    for (const file of version.files) assertInside(file.path);
    const directory = this.#directoryOf(version);
    if ((await sizeOf(directory)) !== undefined) {
      await this.keep([version]);
      return directory;
    }
    const draft = join(this.#directory, "drafts", draftName());
    try {
      await mkdir(draft, { recursive: true });
      for (const file of version.files) {
        const blob = await this.#ensureBlob(version, file, signal);
        const path = join(draft, file.path);
        await mkdir(dirname(path), { recursive: true });
        await link(blob, path).catch(() => copyFile(blob, path));
      }
      await mkdir(dirname(directory), { recursive: true });
      await rename(draft, directory).catch(async (error: unknown) => {
        // Another replica of this machine was first.
        if ((await sizeOf(directory)) === undefined) throw error;
      });
      return directory;
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }

  /** Notes that versions are in use, so that a trim of the cache leaves them. */
  async keep(versions: readonly Version[]): Promise<void> {
    const now = new Date(this.#clock.now());
    for (const version of versions) await utimes(this.#directoryOf(version), now, now).catch(() => {});
  }

  #directoryOf(version: Version): string {
    return join(this.#directory, "bundles", bundleName(version));
  }

  async #ensureBlob(version: Version, file: BundleFile, signal: AbortSignal): Promise<string> {
    const hex = Buffer.from(file.sha256).toString("hex");
    const path = join(this.#directory, "blobs", hex);
    if ((await sizeOf(path)) === Number(file.sizeBytes) && (await digestOf(path)) === hex) return path;
    await mkdir(dirname(path), { recursive: true });
    const part = `${path}.${draftName()}${partSuffix}`;
    try {
      await this.#fetch({ version, file }, part, signal);
      if ((await digestOf(part)) !== hex) {
        throw new AimassError(
          "DATA_LOSS",
          `The file "${file.path}" arrived with another digest than ${hex.slice(0, 12)}….`,
        );
      }
      await rename(part, path);
      return path;
    } finally {
      await rm(part, { force: true });
    }
  }

  /** Writes the artifact to `part`, going on where a broken read stopped. */
  async #fetch(asked: { version: Version; file: BundleFile }, part: string, signal: AbortSignal): Promise<void> {
    const { version, file } = asked;
    await using handle = await open(part, "w", 0o600);
    const backoff = new Backoff({ initialMs: 50, maxMs: 1000 });
    let offset = 0;
    for (let attempt = 1; offset < Number(file.sizeBytes) || attempt === 1; attempt += 1) {
      const before = offset;
      try {
        for await (const chunk of this.#source.read(version, file.sha256, offset, signal)) {
          await handle.write(chunk, 0, chunk.length, offset);
          offset += chunk.length;
          if (offset > Number(file.sizeBytes))
            throw new AimassError("DATA_LOSS", `The file "${file.path}" is longer than the registry said.`);
        }
        if (offset === before && offset < Number(file.sizeBytes))
          throw new AimassError("UNAVAILABLE", `The file "${file.path}" ended early.`);
      } catch (error) {
        signal.throwIfAborted();
        const failure = AimassError.from(error);
        if (isFinal(failure) || attempt >= attempts) throw failure;
        if (offset > before) attempt = 0;
        await this.#clock.sleep(backoff.next(), signal);
      }
    }
    await handle.sync();
  }
}

function isFinal({ code }: AimassError): boolean {
  return code === "NOT_FOUND" || code === "DATA_LOSS" || code === "PERMISSION_DENIED";
}

function bundleName(version: Version): string {
  if (version.bundleDigest.length > 0) return Buffer.from(version.bundleDigest).toString("hex");
  const hash = createHash("sha256");
  for (const file of [...version.files].sort((a, b) => (a.path < b.path ? -1 : 1)))
    hash.update(`${file.path}\0`).update(file.sha256);
  return hash.digest("hex");
}

function assertInside(path: string): void {
  const parts = path.split("/");
  if (
    path !== "" &&
    !path.startsWith("/") &&
    !path.includes("\\") &&
    parts.every((part) => part !== "" && part !== "." && part !== "..")
  )
    return;
  throw new AimassError("INVALID_ARGUMENT", `The bundle has a file "${path}", which is not inside it.`);
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    (found) => found.size,
    () => undefined,
  );
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
