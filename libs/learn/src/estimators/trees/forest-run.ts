import type { FitOptions } from "../../estimator.ts";
import type { DenseMatrix } from "../../matrix.ts";
import { Pacer } from "../../pacer.ts";
import type { Json } from "../../packed-array.ts";
import type { Random } from "../../random.ts";
import type { ClassTargets, NumericTargets } from "../../targets.ts";
import { Checkpoints } from "../checkpoints.ts";
import { binMatrix } from "./binned-matrix.ts";
import { type ForestLimits, type ForestTargets, ForestTreeGrower } from "./forest-tree.ts";
import { type Tree, treeFromJson, treeToJson } from "./tree.ts";
import { TreeEnsemble } from "./tree-ensemble.ts";

interface ForestRun {
  readonly limits: ForestLimits;
  readonly trees: number;
  /** Whether each tree gets as many rows as there are, drawn with replacement, rather than all of them. */
  readonly bootstrap: boolean;
  readonly weights: Float64Array | undefined;
}

/** Trees one after the other, each with random numbers of its own: a checkpoint is the trees so far. The mean of their leaves is the prediction. */
export async function growForest(
  x: DenseMatrix,
  y: NumericTargets | ClassTargets,
  options: FitOptions,
  run: ForestRun,
): Promise<TreeEnsemble> {
  const pacer = new Pacer(options.signal);
  const binned = await binMatrix(x, { random: options.random.fork(0), pacer });
  const grower = new ForestTreeGrower(binned, forestTargets(y), run.limits);
  const checkpoints = new Checkpoints(options);
  const trees = savedTrees(options.resume);
  while (trees.length < run.trees) {
    const random = options.random.fork(1 + trees.length);
    const steps = grower.grow(rowWeightsOf(x.rows, run, random), random);
    let step = steps.next();
    for (let node = 0; !step.done; step = steps.next()) if ((++node & 15) === 0 && pacer.due) await pacer.breathe();
    trees.push(step.value);
    options.onProgress?.(trees.length, run.trees, 0);
    checkpoints.offer(() => ({ kind: "forest", trees: trees.map(treeToJson) }));
    if (pacer.due) await pacer.breathe();
  }
  return ensembleOf(trees, x.cols, y);
}

function forestTargets(y: NumericTargets | ClassTargets): ForestTargets {
  if (y.kind === "numbers") return y;
  const classes = y.labels.values.length;
  if (classes === 2) return { kind: "numbers", values: Float64Array.from(y.indices) };
  return { kind: "classes", indices: y.indices, classes };
}

function rowWeightsOf(rows: number, { bootstrap, weights }: ForestRun, random: Random): Float64Array {
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
