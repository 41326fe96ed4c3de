import { basename } from "node:path";
import { AimassError } from "@aimass/core";
import type { FolderFile } from "./folder-files.ts";

export const isGraph = ({ path }: FolderFile): boolean => path.toLowerCase().endsWith(".onnx");

/** The graph of a folder: the one that `file` names, else the first of `preferred` that is there, else the only one. Errors: INVALID_ARGUMENT. */
export function chooseGraph(
  folder: string,
  found: readonly FolderFile[],
  file: string | undefined,
  preferred: readonly string[] = ["model.onnx"],
): FolderFile {
  const graphs = found.filter(isGraph);
  const names = graphs.map(({ path }) => path).join(", ");
  if (file !== undefined) return named(folder, graphs, file);
  for (const wanted of preferred) {
    const graph = graphs.find(({ path }) => path === wanted);
    if (graph !== undefined) return graph;
  }
  if (graphs.length === 1) return graphs[0] as FolderFile;
  if (graphs.length === 0)
    throw new AimassError("INVALID_ARGUMENT", `${folder} has no .onnx file.`, {
      remedy: "Export the model as ONNX, for instance with torch.onnx.export, and push that file or its folder.",
    });
  throw new AimassError("INVALID_ARGUMENT", `${folder} has ${graphs.length} .onnx files: ${names}.`, {
    remedy: "Choose one with --file, or bring them all with aimass import.",
  });
}

function named(folder: string, graphs: readonly FolderFile[], file: string): FolderFile {
  const exact = graphs.find(({ path }) => path === file.replace(/^\.\//, ""));
  const wanted = exact === undefined ? graphs.filter(({ path }) => basename(path) === file) : [exact];
  if (wanted.length === 1) return wanted[0] as FolderFile;
  const which = wanted.length === 0 ? `no ${file}` : `${wanted.length} files named ${file}`;
  throw new AimassError("INVALID_ARGUMENT", `${folder} has ${which}.`, {
    remedy:
      graphs.length === 0
        ? "Name a folder with an .onnx file."
        : `It has ${graphs.map(({ path }) => path).join(", ")}.`,
  });
}
