import { type ModelProto, ModelProtoSchema } from "@aimass/api/onnx";
import { clone } from "@bufbuild/protobuf";
import { cutOutputs, isCuttable } from "./cut-outputs.ts";
import { namePlainLocale, namesForeignLocale } from "./locales.ts";
import { isJustTooNew, lowerVersions } from "./newer-versions.ts";

/** The graph that is served of a file, and how it differs from that. */
export interface ServedModel {
  readonly model: ModelProto;
  /** Class names of outputs, in the order of their last axis. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
  /** One sentence for each difference; none: the file is served as it is. */
  readonly adaptations: readonly string[];
}

/**
 * The graph to load in place of the one in the file, where that ends in maps or sequences, names a locale that may not be there, or is stamped with versions that are
 * just too new. It follows from the graph alone and is the same wherever it is made; weights and what the other nodes compute stay as they are. `original` is not changed.
 */
export function servedModel(original: ModelProto): ServedModel {
  if (original.graph === undefined || ![isCuttable, namesForeignLocale, isJustTooNew].some((needs) => needs(original)))
    return { model: original, labels: new Map(), adaptations: [] };
  const model = clone(ModelProtoSchema, original);
  const cut = cutOutputs(model);
  return {
    model,
    labels: cut.labels,
    adaptations: [...cut.adaptations, ...namePlainLocale(model), ...lowerVersions(model)],
  };
}
