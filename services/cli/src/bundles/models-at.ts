import { dirname, join } from "node:path";
import { isGraph } from "./choose-graph.ts";
import { filesBelow } from "./folder-files.ts";
import { isHuggingFace } from "./hugging-face.ts";
import { isMlflow } from "./mlflow.ts";
import { isFolder } from "./open-model.ts";
import { modelsBelow } from "./repository.ts";
import { isTritonModel } from "./triton/triton-model.ts";

/**
 * The paths of all models at a path: itself where it is one, else the models of the repository that it is. Graphs in no recognised layout are a model each, named after
 * their folder where that has no other. Errors: NOT_FOUND.
 */
export async function modelsAt(path: string): Promise<string[]> {
  if (!(await isFolder(path))) return [path];
  const found = await filesBelow(path);
  if (isMlflow(found) || isTritonModel(found)) return [path];
  const below = modelsBelow(found);
  const loose = found.filter((file) => isGraph(file) && !below.some((folder) => file.path.startsWith(`${folder}/`)));
  const isOne = loose.length === 1 || isHuggingFace(found) || found.some((file) => file.path === "model.onnx");
  if (below.length === 0 && (isOne || loose.length === 0)) return [path];
  const alone = loose.map((file) => {
    const folder = dirname(file.path);
    const neighbours = loose.filter((other) => other.path.startsWith(`${folder}/`));
    return folder !== "." && neighbours.length === 1 ? folder : file.path;
  });
  return [...below, ...alone].sort().map((one) => join(path, one));
}
