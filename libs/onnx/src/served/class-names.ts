import type { NodeProto } from "@aimass/api/onnx";
import { isMlOperator, isOperator } from "./nodes.ts";

/** The names that operators of ai.onnx.ml give their attribute of classes. */
const numbers = ["classlabels_int64s", "classlabels_ints"];
const texts = "classlabels_strings";

const classifiers = ["LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier"];

/** The classes that a classifier or a ZipMap lists, as texts; undefined when it lists none. */
export function classesOf(node: NodeProto): readonly string[] | undefined {
  for (const { name, ints, strings } of node.attribute) {
    if (name === texts && strings.length > 0) return strings.map((bytes) => new TextDecoder().decode(bytes));
    if (numbers.includes(name) && ints.length > 0) return ints.map(String);
  }
  return undefined;
}

/** The classes of the scores that a value is, where a classifier made them and nothing changed their order since. */
export function scoredClasses(value: string, makers: ReadonlyMap<string, NodeProto>): readonly string[] | undefined {
  let name = value;
  let node = makers.get(name);
  while (node !== undefined && keepsOrder(node)) {
    name = node.input[0] ?? "";
    node = makers.get(name);
  }
  if (node === undefined || node.output[1] !== name) return undefined;
  return classifiers.some((operator) => isMlOperator(node, operator)) ? classesOf(node) : undefined;
}

function keepsOrder(node: NodeProto): boolean {
  return isMlOperator(node, "Normalizer") || ["Identity", "Cast", "Softmax"].some((one) => isOperator(node, one));
}
