import { AimassError } from "@aimass/core";
import { type GraphBuilder, tensor } from "@aimass/onnx";
import type { Tree } from "./tree.ts";

/** Nodes a graph may have: an ONNX file is at most 2 GiB and its reader needs many times that. */
const mostNodes = 8_000_000;

/**
 * Adds trees as one TreeEnsembleRegressor (ai.onnx.ml 3) over `input` FP64 [N, cols]; returns sums FP32 [N, outputs]. In double precision the runtime adds
 * leaves as predict() does; thresholds are numbers of FP32, so that both send every row the same way.
 */
export function addTrees(
  graph: GraphBuilder,
  input: string,
  { trees, outputs, base }: { trees: readonly Tree[]; outputs: number; base: Float64Array },
): string {
  const nodes = trees.reduce((sum, tree) => sum + tree.feature.length, 0);
  if (nodes > mostNodes) {
    throw new AimassError("RESOURCE_EXHAUSTED", `The trees have ${nodes} nodes; a graph takes ${mostNodes}.`, {
      reason: "TOO_LARGE",
      remedy: "Use fewer trees, a smaller maxDepth or more rows per leaf.",
    });
  }
  const treeIds: number[] = [];
  const nodeIds: number[] = [];
  const features: number[] = [];
  const modes: string[] = [];
  const lefts: number[] = [];
  const rights: number[] = [];
  const missing: number[] = [];
  const thresholds = new Float64Array(nodes);
  const leaves = new Leaves();
  for (const [t, tree] of trees.entries()) {
    for (let node = 0; node < tree.feature.length; node++) {
      const isLeaf = tree.feature[node]! < 0;
      thresholds[treeIds.length] = isLeaf ? 0 : tree.threshold[node]!;
      treeIds.push(t);
      nodeIds.push(node);
      features.push(isLeaf ? 0 : tree.feature[node]!);
      modes.push(isLeaf ? "LEAF" : "BRANCH_LEQ");
      lefts.push(isLeaf ? 0 : tree.left[node]!);
      rights.push(isLeaf ? 0 : tree.right[node]!);
      missing.push(isLeaf ? 0 : tree.missingLeft[node]!);
      if (isLeaf) leaves.add(tree, t, node, outputs);
    }
  }
  const weights = Float64Array.from(leaves.weights);
  return graph.node(
    "TreeEnsembleRegressor",
    [input],
    {
      n_targets: { int: outputs },
      aggregate_function: { string: "SUM" },
      post_transform: { string: "NONE" },
      nodes_treeids: { ints: treeIds },
      nodes_nodeids: { ints: nodeIds },
      nodes_featureids: { ints: features },
      nodes_modes: { strings: modes },
      nodes_truenodeids: { ints: lefts },
      nodes_falsenodeids: { ints: rights },
      nodes_missing_value_tracks_true: { ints: missing },
      nodes_values_as_tensor: { tensor: tensor("thresholds", "FP64", [nodes], thresholds) },
      target_treeids: { ints: leaves.treeIds },
      target_nodeids: { ints: leaves.nodeIds },
      target_ids: { ints: leaves.targets },
      target_weights_as_tensor: { tensor: tensor("leaves", "FP64", [weights.length], weights) },
      base_values_as_tensor: { tensor: tensor("base", "FP64", [outputs], base) },
    },
    { domain: "ai.onnx.ml" },
  );
}

/** What leaves add to which sums; zeros of wide leaves are left out. */
class Leaves {
  readonly treeIds: number[] = [];
  readonly nodeIds: number[] = [];
  readonly targets: number[] = [];
  readonly weights: number[] = [];

  add(tree: Tree, t: number, node: number, outputs: number): void {
    for (let k = 0; k < tree.width; k++) {
      const weight = tree.values[node * tree.width + k]!;
      if (weight === 0 && tree.width > 1) continue;
      this.treeIds.push(t);
      this.nodeIds.push(node);
      this.targets.push(tree.width === 1 ? t % outputs : k);
      this.weights.push(weight);
    }
  }
}
