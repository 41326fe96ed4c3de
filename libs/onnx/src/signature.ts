import type { ModelProto, TypeProto, ValueInfoProto } from "@aimass/api/onnx";
import { BatchingBasis, type SignatureSchema, type TensorSpecSchema } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Datatype, elementTypeOfOnnx, onnxTypeName } from "./element-types.ts";

/** One input or output; fits `aimass.registry.v1.TensorSpec`. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 for a dynamic axis. */
  readonly shape: bigint[];
  /** Names of the dynamic axes; "" where none. */
  readonly axisNames: string[];
  readonly optional: boolean;
  readonly labels: string[];
}

/** What goes in and out of a model; fits `aimass.registry.v1.Signature`. */
export interface Signature {
  readonly inputs: TensorSpec[];
  readonly outputs: TensorSpec[];
  readonly opsets: Record<string, bigint>;
  readonly irVersion: bigint;
  readonly producer: string;
  readonly batchable: boolean;
  readonly memoryBytes: bigint;
  readonly batching: Batching;
  /** How the served graph differs from the file; one sentence for each difference. */
  readonly adaptations: string[];
}

/** Why a model is batched or not; fits `aimass.registry.v1.Batching`. */
export interface Batching {
  readonly basis: BatchingBasis;
  /** One sentence. */
  readonly reason: string;
}

/** What the file says of itself, before anything ran. `ranks` of undeclared shapes are unknown. */
export interface DeclaredSignature {
  readonly signature: Signature;
  /** Names of values without a declared shape. */
  readonly shapeless: ReadonlySet<string>;
}

/**
 * The signature an ONNX file declares. An input that an initializer gives a default is no part of it: ONNX Runtime's JavaScript binding
 * passes over values given for it, so it is the constant its default makes it. Throws INVALID_ARGUMENT when an input or output is something the protocol cannot carry: a
 * sequence, map or optional value, or a tensor of complex, FP8 or 4-bit numbers.
 */
export function declaredSignature(model: ModelProto): DeclaredSignature {
  const graph = model.graph;
  const defaults = new Set(graph?.initializer.map((initializer) => initializer.name));
  const shapeless = new Set<string>();
  const spec = (value: ValueInfoProto, what: string) => tensorSpec(value, what, shapeless);
  const inputs = (graph?.input ?? []).filter((input) => !defaults.has(input.name));
  const producer = [model.producerName, model.producerVersion].filter((part) => part !== "").join(" ");
  const signature: Signature = {
    inputs: inputs.map((input) => spec(input, "input")),
    outputs: (graph?.output ?? []).map((output) => spec(output, "output")),
    ...stampOf(model),
    producer,
    batchable: false,
    memoryBytes: 0n,
    batching: { basis: BatchingBasis.UNSPECIFIED, reason: "" },
    adaptations: [],
  };
  assertNames(signature);
  return { signature, shapeless };
}

/** The versions a file is written for. */
export function stampOf(model: ModelProto): Pick<Signature, "opsets" | "irVersion"> {
  const opsets = Object.fromEntries(model.opsetImport.map(({ domain, version }) => [domain, version]));
  return { opsets, irVersion: model.irVersion };
}

/** The names of a signature are the keys of requests and answers: each once, and none that JavaScript keeps for itself. */
function assertNames({ inputs, outputs }: Signature): void {
  for (const [what, specs] of [
    ["input", inputs],
    ["output", outputs],
  ] as const) {
    const seen = new Set<string>();
    for (const { name } of specs) {
      if (name === "__proto__") {
        throw unusable(
          `The ${what} "__proto__" cannot be served: ONNX Runtime's JavaScript binding takes and gives values by name, and this name sets an object's prototype.`,
        );
      }
      if (name === "") throw unusable(`An ${what} has no name.`);
      if (seen.has(name)) throw unusable(`The model has two ${what}s of the name ${JSON.stringify(name)}.`);
      seen.add(name);
    }
  }
}

function unusable(message: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, {
    reason: "UNUSABLE_NAME",
    remedy: "Give every input and every output a name of its own when you export the model.",
  });
}

function tensorSpec(value: ValueInfoProto, what: string, shapeless: Set<string>): TensorSpec {
  const type = tensorType(value, what);
  if (type.shape === undefined) shapeless.add(value.name);
  const axes = type.shape?.dim ?? [];
  return {
    name: value.name,
    datatype: datatypeOf(value.name, type.elemType, what),
    shape: axes.map((axis) => (axis.value.case === "dimValue" && axis.value.value >= 0n ? axis.value.value : -1n)),
    axisNames: axes.map((axis) => (axis.value.case === "dimParam" ? axis.value.value : "")),
    optional: false,
    labels: [],
  };
}

function tensorType(value: ValueInfoProto, what: string) {
  const type = value.type?.value;
  if (type?.case === "tensorType") return type.value;
  const isZipMap = type?.case === "sequenceType" && type.value.elemType?.value.case === "mapType";
  throw notCarried(`The ${what} ${JSON.stringify(value.name)} is ${typeName(value.type)}.`, isZipMap ? zipMap : "");
}

function datatypeOf(name: string, onnx: number, what: string): Datatype {
  const type = elementTypeOfOnnx(onnx);
  if (type !== undefined) return type.datatype;
  throw notCarried(`The ${what} ${JSON.stringify(name)} is a tensor of ${onnxTypeName(onnx)}.`);
}

function typeName(type: TypeProto | undefined): string {
  switch (type?.value.case) {
    case "sequenceType":
      return "a sequence";
    case "mapType":
      return "a map";
    case "optionalType":
      return "an optional value";
    default:
      return "no tensor";
  }
}

/** A classifier's probabilities as skl2onnx and onnxmltools export them by default. */
const zipMap =
  ' A ZipMap whose maps are an output of the graph, and nothing else, is served as a tensor. For others, skl2onnx leaves a tensor with options={"zipmap": False}, onnxmltools with zipmap=False.';

function notCarried(message: string, more = ""): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, {
    reason: "NOT_REPRESENTABLE",
    remedy: `The Open Inference Protocol carries tensors of numbers, booleans and strings: convert it inside the graph.${more}`,
  });
}

type SignatureInit = MessageInitShape<typeof SignatureSchema>;
type TensorSpecInit = MessageInitShape<typeof TensorSpecSchema>;
/** Fails to compile when the plain shapes here stop fitting the registry's messages. */
export type FitsRegistry = [
  Signature extends SignatureInit ? true : never,
  TensorSpec extends TensorSpecInit ? true : never,
];
