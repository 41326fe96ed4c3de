import { AimassError } from "@aimass/core";
import { seededRandom } from "./seeded-random.ts";

/** How rows are divided. Everything needed to divide them again. */
export interface Split {
  readonly method: "selection-sampling/1";
  readonly seed: bigint;
  readonly testShare: number;
  readonly trainRows: number;
  readonly testRows: number;
}

/** Fewer rows than this in a part say nothing. */
const fewestRows = 2;

/** Plans a split of `rows` rows. Throws FAILED_PRECONDITION when a part would be too small. */
export function planSplit(rows: number, testShare: number, seed: bigint): Split {
  const testRows = Math.round(rows * testShare);
  const trainRows = rows - testRows;
  if (testRows < fewestRows || trainRows < fewestRows) {
    const message = `Of ${rows} rows, ${trainRows} would be for training and ${testRows} held out; each part needs ${fewestRows}.`;
    throw new AimassError("FAILED_PRECONDITION", message, {
      field: "spec.test_share",
      remedy: "Use a larger dataset or another test_share.",
    });
  }
  return { method: "selection-sampling/1", seed, testShare, trainRows, testRows };
}

/**
 * Says of each row in turn whether it is held out: exactly `testRows` of them, every such choice equally likely, equal for equal seeds, without memory
 * (Knuth, The Art of Computer Programming 2, section 3.4.2, algorithm S).
 */
export function createSplitter(split: Split): () => boolean {
  const random = seededRandom("aimass.trainer.split", split.seed);
  let rowsLeft = split.trainRows + split.testRows;
  let toPick = split.testRows;
  return () => {
    const picked = rowsLeft * random() < toPick;
    rowsLeft -= 1;
    if (picked) toPick -= 1;
    return picked;
  };
}

/** The split as lineage keeps it. */
export function describeSplit(split: Split): string {
  return JSON.stringify({ ...split, seed: split.seed.toString() });
}
