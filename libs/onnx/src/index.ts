export { analyseRows, type RowVerdict } from "./batching/row-analysis.ts";
export {
  type ComparableSignature,
  type ComparableTensor,
  compareSignatures,
  type SignatureComparison,
} from "./compare-signatures.ts";
export { type Datatype, type ElementType, elementTypeOf, elementTypeOfOnnx, elementTypes } from "./element-types.ts";
export { assertSafeBundle, type ExternalReference, externalReferences, relocate } from "./external-data.ts";
export {
  type Attribute,
  type Attributes,
  type Axis,
  type ExternalData,
  GraphBuilder,
  type GraphOptions,
  type NodeOptions,
  type TensorData,
  tensor,
} from "./graph-builder.ts";
export { type LoadableGraph, loadableGraph } from "./loadable-graph.ts";
export { graphFileName, readModel, writeModel } from "./model-file.ts";
export { cleanRuntimeMessage } from "./probe/clean-message.ts";
export { codeCacheFolder } from "./probe/code-cache.ts";
export { endWithParent } from "./probe/end-with-parent.ts";
export { type ListedValues, listedValues } from "./probe/listed-values.ts";
export type { ProbeResult } from "./probe/messages.ts";
export { type ProbeOptions, probeModel } from "./probe/probe-model.ts";
export { loadRuntime, type Runtime } from "./probe/runtime.ts";
export type { ServedModel } from "./served/served-model.ts";
export {
  type Batching,
  type DeclaredSignature,
  declaredSignature,
  type Signature,
  type TensorSpec,
} from "./signature.ts";
