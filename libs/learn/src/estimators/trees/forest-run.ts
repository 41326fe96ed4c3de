import type { FitOptions } from "../../estimator.ts";
import type { Pacer } from "../../pacer.ts";
import type { Json } from "../../packed-array.ts";
import type { Random } from "../../random.ts";
import type { ClassTargets, NumericTargets } from "../../targets.ts";
import { Checkpoints } from "../checkpoints.ts";
import type { ForestTargets } from "./forest-node.ts";
import { type ForestLimits, ForestTreeGrower } from "./forest-tree.ts";
import { type Tree, treeFromJson, treeToJson } from "./tree.ts";
import { TreeEnsemble } from "./tree-ensemble.ts";
import type { TreeRows } from "./tree-rows.ts";

interface ForestRun {
  readonly limits: ForestLimits;
  readonly trees: number;
  /** Whether each tree gets as many rows as there are, drawn with replacement, rather than all of them. */
  readonly bootstrap: boolean;
  readonly pacer: Pacer;
}

/** Trees one after the other, each with random numbers of its own: a checkpoint is the trees so far. The mean of their leaves is the prediction. */
export async function growForest(
  { binned, targets, weights }: TreeRows<Uint16Array>,
  options: FitOptions,
  run: ForestRun,
): Promise<TreeEnsemble> {
  const { pacer } = run;
  const grower = new ForestTreeGrower(binned, forestTargets(targets), run.limits);
  const checkpoints = new Checkpoints(options);
  const trees = savedTrees(options.resume);
  while (trees.length < run.trees) {
    const random = options.random.fork(1 + trees.length);
    const steps = grower.grow(rowWeightsOf(binned.rows, run.bootstrap, weights, random), random);
    let step = steps.next();
    for (let node = 0; !step.done; step = steps.next()) if ((++node & 15) === 0 && pacer.due) await pacer.breathe();
    trees.push(step.value);
    options.onProgress?.(trees.length, run.trees, 0);
    checkpoints.offer(() => ({ kind: "forest", trees: trees.map(treeToJson) }));
    if (pacer.due) await pacer.breathe();
  }
  return ensembleOf(trees, binned.cols, targets);
}

function forestTargets(y: NumericTargets | ClassTargets): ForestTargets {
  if (y.kind === "numbers") return y;
  const classes = y.labels.values.length;
  if (classes === 2) return { kind: "numbers", values: Float64Array.from(y.indices) };
  return { kind: "classes", indices: y.indices, classes };
}

function rowWeightsOf(
  rows: number,
  bootstrap: boolean,
  weights: Float64Array | undefined,
  random: Random,
): Float64Array {
  if (!bootstrap) return weights ?? new Float64Array(rows).fill(1);
  const drawn = new Float64Array(rows);
  for (let i = 0; i < rows; i++) drawn[random.below(rows)]! += 1;
  if (weights === undefined) return drawn;
  const weighted = drawn.map((times, r) => times * weights[r]!);
  // A draw may miss the only rows that count.
  return weighted.some((weight) => weight > 0) ? weighted : weights;
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
