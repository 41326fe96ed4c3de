import { AimassError } from "@aimass/core";

/** The parts of a split, in the order of their codes. */
export const partNames = ["train", "validation", "test"] as const;
export type Part = (typeof partNames)[number];

/** How a table is split. */
export interface SplitSpec {
  /** An integer from 0 to 2^53 − 1. The same seed over the same rows gives the same split. */
  readonly seed: number;
  /** Shares of the rows; they add up to 1. */
  readonly shares: { readonly train: number; readonly validation?: number; readonly test?: number };
  /** A column whose values (missing ones together) have the same shares in every part. */
  readonly stratifyBy?: string;
  /** A column whose values stay together: no value is in two parts. A row without a value is a group of its own. */
  readonly groupBy?: string;
  /** A column of numbers or ISO 8601 dates: train is oldest, test newest; rows of one moment stay together. */
  readonly timeBy?: string;
}

/** The shares by part code. */
export function sharesOf({ shares }: SplitSpec): readonly number[] {
  return [shares.train, shares.validation ?? 0, shares.test ?? 0];
}

/** Refuses a split that cannot be made. */
export function checkSplitSpec(spec: SplitSpec): void {
  checkSeed(spec.seed);
  const shares = sharesOf(spec);
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (shares.some((share) => !(share >= 0)) || Math.abs(total - 1) > 1e-9 || spec.shares.train === 0) {
    throw new AimassError(
      "INVALID_ARGUMENT",
      `The shares ${shares.join(", ")} do not add up to 1 with a part for training.`,
      {
        field: "shares",
        remedy: "For instance train 0.8, test 0.2.",
      },
    );
  }
  checkCriteria(spec);
}

export function checkSeed(seed: number): void {
  if (Number.isSafeInteger(seed) && seed >= 0) return;
  throw new AimassError("INVALID_ARGUMENT", `The seed ${seed} is no integer from 0 to 2^53 − 1.`, { field: "seed" });
}

/** Refuses criteria that contradict each other. */
export function checkCriteria({
  timeBy,
  stratifyBy,
  groupBy,
}: Pick<SplitSpec, "timeBy" | "stratifyBy" | "groupBy">): void {
  if (timeBy === undefined || (stratifyBy === undefined && groupBy === undefined)) return;
  throw new AimassError("INVALID_ARGUMENT", "A split by time cannot also be stratified or grouped.", {
    field: "timeBy",
    remedy: "Leave out stratifyBy and groupBy, or timeBy.",
  });
}
