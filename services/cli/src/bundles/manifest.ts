import type { ModelProto } from "@aimass/api/onnx";
import { declaredSignature, type TensorSpec } from "@aimass/onnx";
import { stringify } from "yaml";
import { bytesSource, type LocalFile } from "./local-bundle.ts";

/** What a folder says of its model, to be written as the bundle's model.yaml. */
export interface Manifest {
  readonly serving?: Readonly<Record<string, number>>;
  readonly batching?: "off";
  /** Names of the classes, by output. */
  readonly classes?: ReadonlyMap<string, readonly string[]>;
}

export const manifestName = "model.yaml";

/** The files with a model.yaml of these settings; one that the folder has stays as it is, and nothing is written where there is nothing to say. */
export function withManifest(
  files: readonly LocalFile[],
  { serving = {}, batching, classes = new Map() }: Manifest,
): LocalFile[] {
  const outputs = [...classes].map(([name, labels]) => ({ name, labels }));
  const said = {
    ...(Object.keys(serving).length > 0 ? { serving } : {}),
    ...(batching === undefined ? {} : { batching }),
    ...(outputs.length > 0 ? { outputs } : {}),
  };
  if (Object.keys(said).length === 0 || files.some(({ path }) => path === manifestName)) return [...files];
  return [...files, { path: manifestName, source: bytesSource(Buffer.from(stringify(said))) }];
}

/** What a graph takes and gives by its own word; nothing where that cannot be told here, which the registry then says better. */
export function tensorsOf(model: ModelProto | undefined): {
  inputs: readonly TensorSpec[];
  outputs: readonly TensorSpec[];
} {
  if (model === undefined) return { inputs: [], outputs: [] };
  try {
    return declaredSignature(model).signature;
  } catch {
    return { inputs: [], outputs: [] };
  }
}

/** Whether so many classes can be those of an output. */
export function fitsClasses({ shape }: TensorSpec, classes: number): boolean {
  const last = shape.at(-1) ?? -1n;
  return last < 0n || last === BigInt(classes);
}

/** A few names for a line. */
export function listed(names: readonly string[], most = 4): string {
  return names.length <= most ? names.join(", ") : `${names.slice(0, most).join(", ")} … (${names.length})`;
}
