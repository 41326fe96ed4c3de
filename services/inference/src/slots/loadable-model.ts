import { randomBytes } from "node:crypto";
import { access, readFile, rename, writeFile } from "node:fs/promises";
import { loadableGraph, readModel, writeModel } from "@aimass/onnx";

/** A graph ONNX Runtime's JavaScript binding can feed. */
export interface LoadableModel {
  readonly path: string;
  /** Outputs that are BF16 to callers, but FP32 here. */
  readonly bfloat16Outputs: ReadonlySet<string>;
}

/** Ends the name of a derived graph; the number grows when another one is derived of the same file. */
const derivedSuffix = ".served-1";

/**
 * The graph at `path`, or, when `isDerived`, the one that is loaded of it (`loadableGraph`), beside it. It is written once, beside the original so that paths to external data hold.
 */
export async function loadableModel(path: string, isDerived: boolean): Promise<LoadableModel> {
  if (!isDerived) return { path, bfloat16Outputs: new Set() };
  const graph = loadableGraph(readModel(await readFile(path)));
  const { bfloat16Outputs } = graph;
  if (!graph.isDerived) return { path, bfloat16Outputs };
  const beside = `${path}${derivedSuffix}`;
  const isWritten = await access(beside).then(
    () => true,
    () => false,
  );
  if (!isWritten) {
    const draft = `${beside}.${randomBytes(4).toString("hex")}`;
    await writeFile(draft, writeModel(graph.model));
    await rename(draft, beside);
  }
  return { path: beside, bfloat16Outputs };
}
