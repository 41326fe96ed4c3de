import type { ModelProto } from "@aimass/api/onnx";
import { adaptBfloat16 } from "./bfloat16.ts";
import { type ServedModel, servedModel } from "./served/served-model.ts";

/** What ONNX Runtime's JavaScript binding loads in place of a file's graph. */
export interface LoadableGraph {
  /** The graph as callers see it. */
  readonly served: ServedModel;
  /** The graph to load. */
  readonly model: ModelProto;
  /** Whether that is another than the file's. */
  readonly isDerived: boolean;
  /** Outputs that are BF16 to callers, but FP32 in what is loaded. */
  readonly bfloat16Outputs: ReadonlySet<string>;
}

/**
 * The one graph that everybody loads of a file: the one that is served of it (`servedModel`), with FP32 and a cast for BF16 inputs and outputs, which the binding
 * does not take (`adaptBfloat16`). `original` is not changed.
 */
export function loadableGraph(original: ModelProto): LoadableGraph {
  const served = servedModel(original);
  const adapted = adaptBfloat16(served.model);
  const model = adapted?.model ?? served.model;
  return { served, model, isDerived: model !== original, bfloat16Outputs: adapted?.outputs ?? new Set() };
}
