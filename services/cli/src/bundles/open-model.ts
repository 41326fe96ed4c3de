import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { AimassError } from "@aimass/core";
import { fileSource } from "../client/upload.ts";
import { type FolderFile, filesBelow } from "./folder-files.ts";
import { graphFiles } from "./graph-files.ts";
import { type LocalFile, type LocalModel, pathKey } from "./local-bundle.ts";

/**
 * The model at a path: an .onnx file with the files of its weights, or a folder that has one. `file` names the graph where a folder has several.
 * Errors: NOT_FOUND, INVALID_ARGUMENT.
 */
export async function openModel(path: string, file?: string): Promise<LocalModel> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new AimassError("NOT_FOUND", `${path} cannot be read (${error.code}).`, { remedy: "Check the path." });
  });
  if (!info.isDirectory()) {
    if (file !== undefined)
      throw new AimassError("INVALID_ARGUMENT", `${path} is a file, and --file chooses one of a folder.`, {
        remedy: "Leave --file out.",
      });
    const { files } = await graphFiles(path);
    return { told: withData("an ONNX file", files), versions: [{ files }], left: [] };
  }
  return plainFolder(path, await filesBelow(path), file);
}

/** A folder with model.onnx, with one .onnx file of any name, or with the one that `file` chooses; its other files come along. */
async function plainFolder(folder: string, found: readonly FolderFile[], file?: string): Promise<LocalModel> {
  const graph = chooseGraph(folder, found, file);
  const files = await bundleOf(graph, found);
  return { told: withData(`a folder with ${graph.path}`, files), versions: [{ files }], left: [] };
}

/** Errors: INVALID_ARGUMENT. */
function chooseGraph(folder: string, found: readonly FolderFile[], file?: string): FolderFile {
  const graphs = found.filter(({ path }) => path.toLowerCase().endsWith(".onnx"));
  const names = graphs.map(({ path }) => path).join(", ");
  if (file !== undefined) {
    const wanted = graphs.filter(({ path }) => path === file || basename(path) === file);
    if (wanted.length === 1) return wanted[0] as FolderFile;
    const which = wanted.length === 0 ? `has no ${file}` : `has ${wanted.length} files named ${file}`;
    throw new AimassError("INVALID_ARGUMENT", `${folder} ${which}.`, {
      remedy: graphs.length === 0 ? "Name a folder with an .onnx file." : `It has ${names}.`,
    });
  }
  const named = graphs.find(({ path }) => path === "model.onnx");
  if (named !== undefined) return named;
  if (graphs.length === 1) return graphs[0] as FolderFile;
  if (graphs.length === 0)
    throw new AimassError("INVALID_ARGUMENT", `${folder} has no .onnx file.`, {
      remedy: "Export the model as ONNX, for instance with torch.onnx.export, and push that file or its folder.",
    });
  throw new AimassError("INVALID_ARGUMENT", `${folder} has ${graphs.length} .onnx files: ${names}.`, {
    remedy: "Choose one with --file, or name one model.onnx.",
  });
}

/** The graph with its weights, and the other files of the folder where they are, unless the graph's own stand there. */
async function bundleOf(graph: FolderFile, found: readonly FolderFile[]): Promise<LocalFile[]> {
  const { files, taken } = await graphFiles(graph.from);
  const used = new Set(files.map(({ path }) => pathKey(path)));
  const others = found.filter(({ path, from }) => !taken.has(from) && !used.has(pathKey(path)));
  const kept = others.map(async ({ path, from }) => ({ path, source: await fileSource(from) }));
  return [...files, ...(await Promise.all(kept))];
}

function withData(what: string, files: readonly LocalFile[]): string {
  return files.length === 1 ? what : `${what}, ${files.length} files`;
}
