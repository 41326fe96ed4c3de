import { basename, resolve } from "node:path";

/** What a model is called after its file or folder: what no name may have becomes "-". */
export function nameOfPath(path: string): string {
  const name = basename(resolve(path)).replace(/\.onnx$/i, "");
  return name.replace(/[^a-zA-Z0-9_-]+/g, "-").replace(/^[-_]+|-+$/g, "") || "model";
}
