import type { ModelProto } from "@aimass/api/onnx";

/** The newest versions that ONNX Runtime, as it is pinned here, loads. */
export const runtimeVersions = { ir: 13n, opset: 26n } as const;

/**
 * The newest versions known to add without changing. IR 14 adds two data types of 6 bits and opaque types. Operator sets 27 and 28 add operators, data types and
 * attributes with the old behaviour as default. A file that uses such an addition is refused by the runtime for that, so a lower number never changes what is computed.
 */
const addingVersions = { ir: 14n, opset: 28n } as const;

/** Whether a file is stamped with versions that are too new for the runtime, but only add to those it has. */
export function isJustTooNew(model: ModelProto): boolean {
  const opset = opsetOf(model);
  if (model.irVersion > addingVersions.ir || opset > addingVersions.opset) return false;
  return model.irVersion > runtimeVersions.ir || opset > runtimeVersions.opset;
}

/** Lowers such versions to the runtime's, in place. */
export function lowerVersions(model: ModelProto): string[] {
  if (!isJustTooNew(model)) return [];
  const adaptations: string[] = [];
  if (model.irVersion > runtimeVersions.ir) {
    adaptations.push(`It is loaded as IR version ${runtimeVersions.ir} in place of ${model.irVersion}.`);
    model.irVersion = runtimeVersions.ir;
  }
  if (opsetOf(model) > runtimeVersions.opset) {
    adaptations.push(`Its operators are taken from opset ${runtimeVersions.opset} in place of ${opsetOf(model)}.`);
  }
  for (const { opsetImport } of [model, ...model.functions]) {
    for (const set of opsetImport) {
      if (isOnnx(set.domain) && set.version > runtimeVersions.opset) set.version = runtimeVersions.opset;
    }
  }
  return adaptations;
}

/** The version of ai.onnx that a model imports; 0 when it imports none. */
export function opsetOf(model: ModelProto): bigint {
  const versions = [model, ...model.functions].flatMap(({ opsetImport }) =>
    opsetImport.filter(({ domain }) => isOnnx(domain)).map(({ version }) => Number(version)),
  );
  return BigInt(Math.max(0, ...versions));
}

function isOnnx(domain: string): boolean {
  return domain === "" || domain === "ai.onnx";
}
