import type { GraphProto, ModelProto, NodeProto } from "@aimass/api/onnx";

/** Every node of a model: of the bodies of If, Loop and Scan, and of its functions, too. */
export function* nodesOf(model: ModelProto): Generator<NodeProto> {
  if (model.graph !== undefined) yield* nodesIn(model.graph.node);
  for (const one of model.functions) yield* nodesIn(one.node);
}

/** The graphs within a node. */
export function bodiesOf(node: NodeProto): readonly GraphProto[] {
  return node.attribute.flatMap(({ g, graphs }) => (g === undefined ? graphs : [g, ...graphs]));
}

/** Whether a node is an operator of ai.onnx. */
export function isOperator(node: NodeProto, operator: string): boolean {
  return node.opType === operator && (node.domain === "" || node.domain === "ai.onnx");
}

/** Whether a node is an operator of ai.onnx.ml. */
export function isMlOperator(node: NodeProto, operator: string): boolean {
  return node.opType === operator && node.domain === "ai.onnx.ml";
}

function* nodesIn(nodes: readonly NodeProto[]): Generator<NodeProto> {
  for (const node of nodes) {
    yield node;
    for (const body of bodiesOf(node)) yield* nodesIn(body.node);
  }
}
