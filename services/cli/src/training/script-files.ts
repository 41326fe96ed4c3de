import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { type BundleFile, BundleFileSchema } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { create } from "@bufbuild/protobuf";
import type { Connection } from "../client/connection.ts";
import { uploadFile } from "../client/upload.ts";
import { bytes } from "../output/format.ts";
import type { Output } from "../output/output.ts";

/** A file of a script's folder. */
export interface ScriptFile {
  readonly path: string;
  readonly source: string;
  readonly sizeBytes: number;
}

/** More is a folder that holds more than code. */
const mostFiles = 1000;
/** What tools leave behind and no code needs. */
const litter = new Set(["__pycache__", "node_modules", "venv"]);

/** The files below a folder, by path; hidden ones and what tools leave behind stay out. Errors: NOT_FOUND, INVALID_ARGUMENT. */
export async function scriptFiles(folder: string): Promise<ScriptFile[]> {
  const info = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    throw new AimassError("NOT_FOUND", `${folder} cannot be read (${error.code}).`, { remedy: "Check the path." });
  });
  if (!info.isDirectory())
    throw new AimassError("INVALID_ARGUMENT", `${folder} is not a folder.`, {
      remedy: "Name the folder that holds the code.",
    });
  const files: ScriptFile[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const source = join(entry.parentPath, entry.name);
    const path = relative(folder, source).split(sep);
    if (!entry.isFile() || path.some((part) => part.startsWith(".") || litter.has(part))) continue;
    files.push({ path: path.join("/"), source, sizeBytes: (await stat(source)).size });
  }
  if (files.length === 0 || files.length > mostFiles)
    throw new AimassError("INVALID_ARGUMENT", `${folder} has ${files.length} files.`, {
      remedy: `Name a folder with the code and nothing else: 1 to ${mostFiles} files.`,
    });
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Uploads the files of a script, or with `dryRun` only says what they are. */
export async function bundleOf(
  files: readonly ScriptFile[],
  to: { connection: Connection; output: Output; project: string; dryRun: boolean },
): Promise<BundleFile[]> {
  const bundle: BundleFile[] = [];
  for (const { path, source, sizeBytes } of files) {
    const sha256 = to.dryRun ? await digestOf(source) : await upload(to, source, path);
    bundle.push(create(BundleFileSchema, { path, sha256, sizeBytes: BigInt(sizeBytes) }));
  }
  return bundle;
}

async function upload(
  to: { connection: Connection; output: Output; project: string },
  source: string,
  path: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bar = to.output.progress(`uploading ${path}`);
  const { sha256 } = await uploadFile(to.connection, to.project, source, (sent, total) =>
    bar(total === 0 ? 1 : sent / total, bytes(sent)),
  );
  return sha256 as Uint8Array<ArrayBuffer>;
}

async function digestOf(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return new Uint8Array(hash.digest());
}
