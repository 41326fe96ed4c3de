import type { FolderFile } from "./folder-files.ts";

/**
 * The models below a folder that is none itself, by their paths in it: folders with what marks one (MLmodel, config.pbtxt, numbered versions, or a config.json with a graph).
 * What lies inside such a folder belongs to it.
 */
export function modelsBelow(found: readonly FolderFile[]): string[] {
  const paths = new Set(found.map(({ path }) => path));
  const folders = new Set<string>();
  for (const path of paths) {
    const mark = /^(.+?)\/(?:MLmodel|config\.pbtxt|[1-9]\d*\/model\.onnx(?:\/model\.onnx)?|onnx\/[^/]+\.onnx)$/.exec(
      path,
    );
    if (mark?.[1] !== undefined) folders.add(mark[1]);
    const config = /^(.+)\/config\.json$/.exec(path)?.[1];
    if (config !== undefined && paths.has(`${config}/model.onnx`)) folders.add(config);
  }
  return [...folders].filter((one) => ![...folders].some((other) => one.startsWith(`${other}/`))).sort();
}
