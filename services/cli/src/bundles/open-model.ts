import { stat } from "node:fs/promises";
import { join } from "node:path";
import { AimassError } from "@aimass/core";
import { chooseGraph } from "./choose-graph.ts";
import { type FolderFile, filesBelow } from "./folder-files.ts";
import { asLocalFiles, filesBeside, graphFiles } from "./graph-files.ts";
import { huggingFaceModel, isHuggingFace } from "./hugging-face.ts";
import { isYaml, readInferenceService } from "./kserve.ts";
import type { LocalModel } from "./local-bundle.ts";
import { listed } from "./manifest.ts";
import { isMlflow, mlflowModel } from "./mlflow.ts";
import { modelsBelow } from "./repository.ts";
import { isTritonModel, tritonModel } from "./triton/triton-model.ts";

/**
 * The model at a path: an .onnx file with the files of its weights, a folder that has one, in the layout of Triton, Hugging Face, MLflow or none, or KServe's YAML that
 * names one. `file` names the graph where a folder has several. Errors: NOT_FOUND, INVALID_ARGUMENT.
 */
export async function openModel(path: string, file?: string): Promise<LocalModel> {
  if (await isFolder(path)) return openFolder(path, await filesBelow(path), file);
  if (isYaml(path)) {
    const { name, storage, left } = await readInferenceService(path);
    const model = await openModel(storage, file);
    return { ...model, name, told: `KServe's ${name} at ${storage}, ${model.told}`, left: [...left, ...model.left] };
  }
  if (file !== undefined)
    throw new AimassError("INVALID_ARGUMENT", `${path} is a file, and --file chooses one of a folder.`, {
      remedy: "Leave --file out.",
    });
  const { files } = await graphFiles(path);
  return { told: counted("an ONNX file", files.length), versions: [{ files }], left: [] };
}

/** Errors: NOT_FOUND. */
export async function isFolder(path: string): Promise<boolean> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new AimassError("NOT_FOUND", `${path} cannot be read (${error.code}).`, { remedy: "Check the path." });
  });
  return info.isDirectory();
}

async function openFolder(folder: string, found: readonly FolderFile[], file?: string): Promise<LocalModel> {
  if (isMlflow(found)) return mlflowModel(folder, found);
  if (isTritonModel(found)) return tritonModel(folder, found);
  const below = modelsBelow(found);
  const [only] = below;
  if (only !== undefined && below.length === 1) return openModel(join(folder, only), file);
  if (below.length > 1)
    throw new AimassError("INVALID_ARGUMENT", `${folder} holds ${below.length} models: ${listed(below)}.`, {
      remedy: `Bring them all with aimass import ${folder}, or name one of its folders.`,
    });
  return isHuggingFace(found) ? huggingFaceModel(folder, found, file) : plainFolder(folder, found, file);
}

/** A folder with model.onnx, with one .onnx file of any name, or with the one that `file` chooses; its other files come along. */
async function plainFolder(folder: string, found: readonly FolderFile[], file?: string): Promise<LocalModel> {
  const graph = chooseGraph(folder, found, file);
  const own = await graphFiles(graph.from);
  const all = [...own.files, ...(await asLocalFiles(filesBeside(found, own)))];
  return { told: counted(`a folder with ${graph.path}`, all.length), versions: [{ files: all }], left: [] };
}

const counted = (what: string, files: number) => (files === 1 ? what : `${what}, ${files} files`);
