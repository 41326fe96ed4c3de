import { randomBytes } from "node:crypto";
import { access, readFile, rename, writeFile } from "node:fs/promises";
import { adaptBfloat16, readModel, servedModel, writeModel } from "@aimass/onnx";

/** A graph ONNX Runtime's JavaScript binding can feed. */
export interface LoadableModel {
  readonly path: string;
  /** Outputs that are BF16 to callers, but FP32 here. */
  readonly bfloat16Outputs: ReadonlySet<string>;
}

/** Ends the name of a derived graph; the number grows when another one is derived of the same file. */
const derivedSuffix = ".served-1";

/**
 * The graph at `path`, or, when `isDerived`, the one that is served of it, beside it: without ZipMaps at its outputs (`servedModel`), and with FP32 and a cast for BF16
 * inputs and outputs, which the binding does not take. It is written once, beside the original so that paths to external data hold.
 */
export async function loadableModel(path: string, isDerived: boolean): Promise<LoadableModel> {
  if (!isDerived) return { path, bfloat16Outputs: new Set() };
  const original = readModel(await readFile(path));
  const { model } = servedModel(original);
  const adapted = adaptBfloat16(model);
  const derived = adapted?.model ?? model;
  if (derived === original) return { path, bfloat16Outputs: new Set() };
  const beside = `${path}${derivedSuffix}`;
  const isWritten = await access(beside).then(
    () => true,
    () => false,
  );
  if (!isWritten) {
    const draft = `${beside}.${randomBytes(4).toString("hex")}`;
    await writeFile(draft, writeModel(derived));
    await rename(draft, beside);
  }
  return { path: beside, bfloat16Outputs: adapted?.outputs ?? new Set() };
}
