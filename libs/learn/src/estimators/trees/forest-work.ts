import { Random } from "../../random.ts";
import type { BinnedMatrix } from "./binned-matrix.ts";
import type { ForestTargets } from "./forest-node.ts";
import { type ForestLimits, ForestTreeGrower } from "./forest-tree.ts";
import type { Tree } from "./tree.ts";

/** All that the trees of a forest depend on. Threads get it as a message; the bins should then be shared. */
export interface ForestWork {
  readonly binned: BinnedMatrix<Uint16Array>;
  readonly targets: ForestTargets;
  readonly limits: ForestLimits;
  readonly trees: number;
  /** Whether each tree gets as many rows as there are, drawn with replacement, rather than all of them. */
  readonly bootstrap: boolean;
  readonly weights: Float64Array | undefined;
  readonly seed: number;
}

/** Grows the trees of a forest, each by its index alone. */
export class ForestGrower {
  readonly #work: ForestWork;
  readonly #grower: ForestTreeGrower;
  readonly #random: Random;

  constructor(work: ForestWork) {
    this.#work = work;
    this.#grower = new ForestTreeGrower(work.binned, work.targets, work.limits);
    this.#random = new Random(work.seed);
  }

  /** Yields after each split, so that the caller may breathe. */
  tree(index: number): Generator<void, Tree> {
    const random = this.#random.fork(index);
    return this.#grower.grow(rowWeightsOf(this.#work, random), random);
  }
}

function rowWeightsOf({ binned, bootstrap, weights }: ForestWork, random: Random): Float64Array {
  const { rows } = binned;
  if (!bootstrap) return weights ?? new Float64Array(rows).fill(1);
  const drawn = new Float64Array(rows);
  for (let i = 0; i < rows; i++) drawn[random.below(rows)]! += 1;
  if (weights === undefined) return drawn;
  const weighted = drawn.map((times, r) => times * weights[r]!);
  // A draw may miss the only rows that count.
  return weighted.some((weight) => weight > 0) ? weighted : weights;
}
