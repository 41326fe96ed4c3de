import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, join, normalize, sep } from "node:path";
import type { ModelProto } from "@aimass/api/onnx";
import { AimassError } from "@aimass/core";
import { externalReferences, graphFileName, readModel, relocate, writeModel } from "@aimass/onnx";
import { fileSource } from "../client/upload.ts";
import type { FolderFile } from "./folder-files.ts";
import { bytesSource, isBundlePath, type LocalFile, pathKey } from "./local-bundle.ts";
import { isFileOf } from "./plain-file.ts";

/** A graph and the files with its weights. */
export interface GraphFiles {
  readonly files: readonly LocalFile[];
  /** Their paths on this machine. */
  readonly taken: ReadonlySet<string>;
  /** What it takes and gives by its own word; undefined where that cannot be read here. */
  readonly model: ModelProto | undefined;
}

/**
 * An .onnx file as "model.onnx", with the files that its tensors name. A name that no bundle can have gets another, and the graph is written anew with it; else the
 * graph's bytes are those of the file. What is no ONNX is left to the registry to refuse. Errors: NOT_FOUND (the graph, or data of a tensor), INVALID_ARGUMENT (data outside the graph's folder).
 */
export async function graphFiles(path: string): Promise<GraphFiles> {
  const source = await fileSource(path);
  const model = await readGraph(path);
  if (model === undefined) return { files: [{ path: graphFileName, source }], taken: new Set([path]), model };
  const placed = await placeData(path, model);
  const renamed = new Map(
    [...placed].flatMap(([location, file]) => (location === file.path ? [] : [[location, file.path]])),
  );
  if (renamed.size > 0) relocate(model, renamed);
  const graph = { path: graphFileName, source: renamed.size === 0 ? source : bytesSource(writeModel(model)) };
  const data = new Map([...placed.values()].map((file) => [file.path, file.from]));
  const files = await Promise.all([...data].map(async ([to, from]) => ({ path: to, source: await fileSource(from) })));
  return { files: [graph, ...files], taken: new Set([path, ...data.values()]), model };
}

/** What else lies in a folder than the graph and its weights, at paths that these leave free. */
export function filesBeside(found: readonly FolderFile[], { files, taken }: GraphFiles): FolderFile[] {
  const used = new Set(files.map(({ path }) => pathKey(path)));
  return found.filter(({ path, from }) => !taken.has(from) && !used.has(pathKey(path)));
}

/** Files of a folder as those of a bundle. Errors: NOT_FOUND. */
export function asLocalFiles(found: readonly FolderFile[]): Promise<LocalFile[]> {
  return Promise.all(found.map(async ({ path, from }) => ({ path, source: await fileSource(from) })));
}

async function readGraph(path: string): Promise<ModelProto | undefined> {
  try {
    return readModel(await readFile(path));
  } catch {
    return undefined;
  }
}

interface PlacedFile {
  /** In the bundle. */
  readonly path: string;
  /** On this machine. */
  readonly from: string;
}

/** Where each file that tensors name lies here, and where it will in the bundle, by the name that the tensors use. */
async function placeData(graph: string, model: ModelProto): Promise<Map<string, PlacedFile>> {
  const placed = new Map<string, PlacedFile>();
  const byFile = new Map<string, string>();
  const used = new Set([pathKey(graphFileName)]);
  for (const { tensor, location } of externalReferences(model)) {
    if (location === "" || placed.has(location)) continue;
    const from = await dataFile(graph, tensor, location);
    const path = byFile.get(from) ?? freePath(location, used);
    byFile.set(from, path);
    used.add(pathKey(path));
    placed.set(location, { path, from });
  }
  return placed;
}

function freePath(location: string, used: ReadonlySet<string>): string {
  if (isBundlePath(location) && isFree(location, used)) return location;
  for (let number = 1; ; number++) {
    const path = `data/${number}.bin`;
    if (isFree(path, used)) return path;
  }
}

/** Nothing may be a file and a folder at once. */
function isFree(path: string, used: ReadonlySet<string>): boolean {
  const key = pathKey(path);
  return ![...used].some((other) => other === key || other.startsWith(`${key}/`) || key.startsWith(`${other}/`));
}

/** Errors: INVALID_ARGUMENT, NOT_FOUND. */
async function dataFile(graph: string, tensor: string, location: string): Promise<string> {
  const folder = dirname(graph);
  const owner = `The tensor ${JSON.stringify(tensor)} of ${graph} needs the file ${JSON.stringify(location)}`;
  const inside = normalize(location);
  if (isAbsolute(location) || inside === ".." || inside.startsWith(`..${sep}`)) {
    throw new AimassError("INVALID_ARGUMENT", `${owner}, which is not below the graph's own folder.`, {
      remedy:
        "Save the model again with its external data beside it: onnx.save_model(model, path, save_as_external_data=True).",
    });
  }
  const path = join(folder, inside);
  if (await isFileOf(folder, path)) return path;
  throw new AimassError("NOT_FOUND", `${owner}; there is no such file at ${path}.`, {
    remedy: "Put the file there: torch and optimum write it beside the graph, and both belong together.",
  });
}
