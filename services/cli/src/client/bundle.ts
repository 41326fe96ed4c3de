import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, renameSync, rmSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { ArtifactService, type BundleFile, ModelService, type Version } from "@aimass/api/registry";
import { AimassError, makeFolder } from "@aimass/core";
import { formatResource } from "@aimass/identity";
import type { LocalBundle, LocalModel } from "../bundles/local-bundle.ts";
import { openModel } from "../bundles/open-model.ts";
import { bytes } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import type { Connection } from "./connection.ts";
import { assertMay } from "./own-rights.ts";
import { upload } from "./upload.ts";

/** Uploads a bundle and makes it the next version of a model, which is made when missing. */
export async function pushBundle(o: {
  connection: Connection;
  output: Output;
  project: string;
  model: string;
  bundle: LocalBundle;
  description?: string;
  labels?: Readonly<Record<string, string>>;
}): Promise<Version> {
  const files: { path: string; sha256: Uint8Array<ArrayBuffer>; sizeBytes: bigint }[] = [];
  await assertMay(o.connection, "version.create", formatResource(o.project, o.model));
  for (const file of o.bundle.files) {
    const bar = o.output.progress(`uploading ${file.path}`);
    const uploaded = await upload(o.connection, o.project, file.source, (sent, total) =>
      bar(total === 0 ? 1 : sent / total, bytes(sent)),
    );
    files.push({ path: file.path, sha256: uploaded.sha256 as Uint8Array<ArrayBuffer>, sizeBytes: uploaded.sizeBytes });
  }
  const { project, model, description = o.bundle.description ?? "" } = o;
  const labels = { ...o.bundle.labels, ...o.labels };
  const request = { project, model, files, description, labels, createModel: true };
  const { version } = await o.connection.client(ModelService).createVersion(request, { timeoutMs: 300_000 });
  return version as Version;
}

interface PushWishes {
  readonly connection: Connection;
  readonly output: Output;
  readonly project: string;
  readonly model: string;
  readonly path: string;
  readonly description?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Pushes what lies at a path, all its versions in order, and returns the one that is to serve. `file` as in `openModel`. */
export async function pushModel({
  file,
  ...wishes
}: PushWishes & { readonly file?: string | undefined }): Promise<Version> {
  return pushOpened({ ...wishes, found: await openModel(wishes.path, file) });
}

/** As `pushModel`, of what was found at the path. */
export async function pushOpened({
  path,
  found,
  ...to
}: PushWishes & { readonly found: LocalModel }): Promise<Version> {
  to.output.hint(`${path} is ${found.told}.`);
  for (const line of found.left) to.output.hint(`left out  ${line}`);
  const pushed: Version[] = [];
  for (const bundle of found.versions) pushed.push(await pushBundle({ ...to, bundle }));
  return pushed.at(found.serves ?? -1) as Version;
}

/** A file with its digest, as a version names it. */
export type PulledFile = Pick<BundleFile, "path" | "sha256" | "sizeBytes">;

/**
 * Downloads the files of a bundle into a folder and checks their digests. What is there already with the same content stays; other content is replaced only with
 * `force`, and nothing is written when one file would be refused. Errors: DATA_LOSS; FAILED_PRECONDITION where something else is or nothing can be written.
 */
export async function pullFiles(
  connection: Connection,
  output: Output,
  files: readonly PulledFile[],
  o: { folder: string; force: boolean },
): Promise<void> {
  const folder = resolve(o.folder);
  const wanted: PulledFile[] = [];
  for (const file of files) {
    const state = await stateOf(targetOf(folder, file), file);
    if (state === "other" && !o.force)
      throw new AimassError("FAILED_PRECONDITION", `${join(o.folder, file.path)} is there with other content.`, {
        remedy: "Name another folder, or replace it with --force.",
      });
    if (state !== "same") wanted.push(file);
  }
  for (const file of wanted) await pullFile(connection, output, file, folder);
}

/** The first bytes of an artifact; no more of it is fetched. */
export async function firstBytes(connection: Connection, sha256: PulledFile["sha256"]): Promise<Uint8Array> {
  // Leaving the loop does not end the call.
  const ending = new AbortController();
  const options = { signal: ending.signal };
  try {
    for await (const { chunk } of connection.client(ArtifactService).readArtifact({ sha256 }, options)) return chunk;
    return new Uint8Array(0);
  } finally {
    ending.abort();
  }
}

function targetOf(folder: string, file: PulledFile): string {
  const target = resolve(folder, file.path);
  if (!target.startsWith(folder + sep) || file.path.split("/").some((segment) => /^[.-]/.test(segment)))
    throw new AimassError("DATA_LOSS", `The bundle has a path that nobody should follow: ${file.path}.`);
  return target;
}

/** What is where a file goes. */
async function stateOf(path: string, file: PulledFile): Promise<"none" | "same" | "other"> {
  const info = await lstat(path).catch(() => undefined);
  if (info === undefined) return "none";
  if (!info.isFile() || BigInt(info.size) !== file.sizeBytes) return "other";
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest().equals(file.sha256) ? "same" : "other";
}

async function pullFile(connection: Connection, output: Output, file: PulledFile, folder: string): Promise<void> {
  const target = targetOf(folder, file);
  const temporary = `${target}.part`;
  const hash = createHash("sha256");
  const bar = output.progress(`downloading ${file.path}`);
  const download = async function* () {
    let received = 0;
    const { sha256 } = file;
    for await (const { chunk } of connection.client(ArtifactService).readArtifact({ sha256 }, { timeoutMs: 0 })) {
      hash.update(chunk);
      received += chunk.length;
      yield chunk;
      bar(received / Number(file.sizeBytes), bytes(received));
    }
  };
  try {
    makeFolder(dirname(target));
    using leftover = new DisposableStack();
    leftover.defer(() => rmSync(temporary, { force: true }));
    await pipeline(download, createWriteStream(temporary));
    if (!hash.digest().equals(file.sha256))
      throw new AimassError("DATA_LOSS", `${file.path} arrived with another digest.`, { remedy: "Pull it again." });
    renameSync(temporary, target);
  } catch (error) {
    throw notWritten(target, error) ?? error;
  }
}

/** The error of a file system, in words; undefined for any other. */
function notWritten(path: string, error: unknown): AimassError | undefined {
  const { syscall, code } = error as NodeJS.ErrnoException;
  if (!/^(mkdir|open|write|close|rename)$/.test(syscall ?? "")) return undefined;
  return new AimassError("FAILED_PRECONDITION", `${path} cannot be written (${code}).`, {
    remedy: "Name another folder.",
    cause: error,
  });
}
