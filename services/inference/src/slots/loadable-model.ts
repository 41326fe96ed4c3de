import { randomBytes } from "node:crypto";
import { access, readFile, rename, writeFile } from "node:fs/promises";
import { adaptBfloat16, readModel, writeModel } from "@aimass/onnx";

/** A graph ONNX Runtime's JavaScript binding can feed. */
export interface LoadableModel {
  readonly path: string;
  /** Outputs that are BF16 to callers, but FP32 here. */
  readonly bfloat16Outputs: ReadonlySet<string>;
}

/**
 * The graph at `path`, or, when `hasBfloat16`, one beside it whose BF16 inputs and outputs are FP32 with a cast: the binding takes no BF16. It is written once, beside
 * the original so that paths to external data hold.
 */
export async function loadableModel(path: string, hasBfloat16: boolean): Promise<LoadableModel> {
  const adapted = hasBfloat16 ? adaptBfloat16(readModel(await readFile(path))) : undefined;
  if (adapted === undefined) return { path, bfloat16Outputs: new Set() };
  const beside = `${path}.fp32`;
  const isWritten = await access(beside).then(
    () => true,
    () => false,
  );
  if (!isWritten) {
    const draft = `${beside}.${randomBytes(4).toString("hex")}`;
    await writeFile(draft, writeModel(adapted.model));
    await rename(draft, beside);
  }
  return { path: beside, bfloat16Outputs: adapted.outputs };
}
