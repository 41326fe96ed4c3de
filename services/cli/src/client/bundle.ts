import { createHash } from "node:crypto";
import { createWriteStream, renameSync, rmSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { ArtifactService, type BundleFile, ModelService, type Version } from "@aimass/api/registry";
import { AimassError, makeFolder } from "@aimass/core";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { bytes } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import type { Connection } from "./connection.ts";
import { uploadFile } from "./upload.ts";

/** Uploads a bundle and makes it the next version of a model, which is made when missing. */
export async function pushModel(o: {
  connection: Connection;
  output: Output;
  project: string;
  model: string;
  path: string;
  description?: string;
  labels?: Record<string, string>;
}): Promise<Version> {
  const files: { path: string; sha256: Uint8Array<ArrayBuffer>; sizeBytes: bigint }[] = [];
  for (const file of await bundleFiles(o.path)) {
    const bar = o.output.progress(`uploading ${file.path}`);
    const uploaded = await uploadFile(o.connection, o.project, file.source, (sent, total) =>
      bar(total === 0 ? 1 : sent / total, bytes(sent)),
    );
    files.push({ path: file.path, sha256: uploaded.sha256 as Uint8Array<ArrayBuffer>, sizeBytes: uploaded.sizeBytes });
  }
  const client = o.connection.client(ModelService);
  await ensureModel(client, o.project, o.model);
  const { version } = await client.createVersion(
    { project: o.project, model: o.model, files, description: o.description ?? "", labels: o.labels ?? {} },
    { timeoutMs: 300_000 },
  );
  return version as Version;
}

/** Makes a model when it is missing. Looks first: who may add versions to a model need not be allowed to make models. */
async function ensureModel(client: Client<typeof ModelService>, project: string, name: string): Promise<void> {
  try {
    await client.getModel({ project, name });
  } catch (error) {
    if (ConnectError.from(error).code !== Code.NotFound) throw error;
    await client.createModel({ project, name, allowExisting: true });
  }
}

/** The files of a bundle: one .onnx file, or a folder with model.onnx. Errors: NOT_FOUND, INVALID_ARGUMENT. */
async function bundleFiles(path: string): Promise<{ path: string; source: string }[]> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new AimassError("NOT_FOUND", `${path} cannot be read (${error.code}).`, { remedy: "Check the path." });
  });
  if (info.isFile()) return [{ path: "model.onnx", source: path }];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const bundle = files.map((source) => ({ path: relative(path, source).split(sep).join("/"), source }));
  if (!bundle.some((file) => file.path === "model.onnx")) {
    throw new AimassError("INVALID_ARGUMENT", `${path} has no model.onnx.`, {
      remedy: "Name the graph model.onnx, or push the .onnx file itself.",
    });
  }
  return bundle;
}

/** Downloads one file of a bundle and checks its digest. Errors: DATA_LOSS, FAILED_PRECONDITION where it cannot be written. */
export async function pullFile(
  connection: Connection,
  output: Output,
  file: BundleFile,
  folder: string,
): Promise<void> {
  const target = resolve(folder, file.path);
  if (!target.startsWith(folder + sep))
    throw new AimassError("DATA_LOSS", `The bundle has a path that leaves the folder: ${file.path}.`);
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
