import type { FitOptions } from "../../estimator.ts";
import type { Pacer } from "../../pacer.ts";
import type { Json } from "../../packed-array.ts";
import type { ClassTargets, NumericTargets } from "../../targets.ts";
import { Checkpoints } from "../checkpoints.ts";
import type { ForestTargets } from "./forest-node.ts";
import { growHere, growInThreads } from "./forest-threads.ts";
import type { ForestLimits } from "./forest-tree.ts";
import { type Tree, treeFromJson, treeToJson } from "./tree.ts";
import { TreeEnsemble } from "./tree-ensemble.ts";
import type { TreeRows } from "./tree-rows.ts";

interface ForestRun {
  readonly limits: ForestLimits;
  readonly trees: number;
  /** Whether each tree gets as many rows as there are, drawn with replacement, rather than all of them. */
  readonly bootstrap: boolean;
  /** Threads beside the calling one, with which bins have to be shared; 0: trees grow in the calling one. */
  readonly threads: number;
  readonly pacer: Pacer;
}

/** Trees in order, each with random numbers of its own: a checkpoint is the trees so far. The mean of their leaves is the prediction. */
export async function growForest(
  { binned, targets, weights }: TreeRows<Uint16Array>,
  options: FitOptions,
  { limits, trees: count, bootstrap, threads, pacer }: ForestRun,
): Promise<TreeEnsemble> {
  const seed = Math.floor(options.random.fork(1).next() * 2 ** 53);
  const work = { binned, targets: forestTargets(targets), limits, trees: count, bootstrap, weights, seed };
  const checkpoints = new Checkpoints(options);
  const trees = savedTrees(options.resume);
  const { signal } = options;
  const grown =
    threads > 0 ? growInThreads(work, trees.length, { threads, signal }) : growHere(work, trees.length, pacer);
  for await (const tree of grown) {
    trees.push(tree);
    options.onProgress?.(trees.length, count, 0);
    checkpoints.offer(() => ({ kind: "forest", trees: trees.map(treeToJson) }));
  }
  return ensembleOf(trees, binned.cols, targets);
}

function forestTargets(y: NumericTargets | ClassTargets): ForestTargets {
  if (y.kind === "numbers") return y;
  const classes = y.labels.values.length;
  if (classes === 2) return { kind: "numbers", values: Float64Array.from(y.indices) };
  return { kind: "classes", indices: y.indices, classes };
}

/** Leaves divided by the number of trees, so that their sum is the mean. */
function ensembleOf(trees: readonly Tree[], cols: number, y: NumericTargets | ClassTargets): TreeEnsemble {
  const isClasses = y.kind === "classes";
  const outputs = isClasses ? y.labels.values.length : 1;
  const scaled = trees.map((tree) => {
    const wide = isClasses && outputs === 2 ? bothShares(tree) : tree;
    return { ...wide, values: wide.values.map((value) => value / trees.length) };
  });
  return new TreeEnsemble({
    cols,
    trees: scaled,
    outputs,
    base: new Float64Array(outputs),
    link: isClasses ? "shares" : "value",
    labels: isClasses ? y.labels : undefined,
  });
}

/** A leaf's share of the second of two classes as shares of both. */
function bothShares(tree: Tree): Tree {
  const values = new Float64Array(2 * tree.values.length);
  for (let node = 0; node < tree.values.length; node++) {
    if (tree.feature[node]! >= 0) continue;
    values[2 * node] = 1 - tree.values[node]!;
    values[2 * node + 1] = tree.values[node]!;
  }
  return { ...tree, values, width: 2 };
}

function savedTrees(json: Json | undefined): Tree[] {
  const saved = json as { kind?: string; trees: readonly Json[] } | undefined | null;
  return saved?.kind === "forest" ? saved.trees.map(treeFromJson) : [];
}
