import { AimassError } from "@aimass/core";
import { BaselineFit } from "./baseline.ts";
import type { BlockFit } from "./block.ts";
import { blockFits } from "./blocks.ts";
import { checkPlan } from "./check-plan.ts";
import { readColumns } from "./column-reading.ts";
import type { Batch } from "./columns.ts";
import { Features } from "./features.ts";
import { ColumnNumbers } from "./numbers/column-numbers.ts";
import { columnsOf, type FeaturePlan, type FeatureSpec } from "./plan.ts";

/**
 * Fits a plan in one pass, batch by batch. Memory does not grow with the rows: counts of categories are bounded, quantiles are sketched, texts
 * keep a bounded number of terms. Fits of the same plan over parts of the data merge, in any grouping.
 */
export class FeatureFit {
  rows = 0;
  private readonly plan: FeaturePlan;
  private readonly numbers: ColumnNumbers;
  private readonly blocks: readonly BlockFit[];
  private readonly baseline: BaselineFit;

  /** Throws INVALID_ARGUMENT for a plan that makes no sense. */
  constructor(given: FeaturePlan) {
    checkPlan(given);
    const plan = inReadings(given);
    this.plan = plan;
    this.numbers = new ColumnNumbers(plan);
    this.blocks = blockFits(plan, this.numbers);
    this.baseline = new BaselineFit(plan, this.numbers);
  }

  add(given: Batch): void {
    const batch = readColumns(given, this.plan.columns);
    this.numbers.add(batch);
    for (const block of this.blocks) block.add(batch);
    this.baseline.add(batch);
    this.rows += batch.rows;
  }

  /** Adds what another fit of the same plan has seen. */
  merge(other: FeatureFit): void {
    this.numbers.merge(other.numbers);
    this.blocks.forEach((block, index) => {
      block.merge(other.blocks[index] as BlockFit);
    });
    this.baseline.merge(other.baseline);
    this.rows += other.rows;
  }

  /** Throws FAILED_PRECONDITION for no rows, and for data that leave no feature. */
  finish(): Features {
    if (this.rows === 0) throw new AimassError("FAILED_PRECONDITION", "There are no rows to learn features from.");
    const used = new Set(this.plan.features.flatMap(columnsOf));
    const columns = this.plan.columns.filter(({ name }) => used.has(name));
    return new Features(
      columns.map(({ name, type, reading }) => ({ name, type, ...(reading && { reading }) })),
      this.blocks.map((block) => block.finish()),
      this.baseline.finish(),
    );
  }
}

/** The plan with the numbers that a person gave (edges, constants) as the columns are read. */
function inReadings(plan: FeaturePlan): FeaturePlan {
  const readings = new Map(plan.columns.map(({ name, reading }) => [name, reading]));
  const shifted = <S extends FeatureSpec>(spec: S): S => {
    if (spec.kind === "cross") return { ...spec, of: spec.of.map((part) => shifted(part)) };
    const reading = readings.get(spec.column);
    if (reading?.kind !== "shifted") return spec;
    const read = (value: number) => (value - reading.offset) / reading.unit;
    if (spec.kind === "bucket" && spec.edges !== undefined) return { ...spec, edges: spec.edges.map(read) };
    if ((spec.kind !== "number" && spec.kind !== "oneHot") || typeof spec.impute !== "object") return spec;
    return { ...spec, impute: { constant: read(Number(spec.impute.constant)) } };
  };
  return { ...plan, features: plan.features.map((spec) => shifted(spec)) };
}

/** Fits a plan over all batches. Stops with the signal's reason. */
export async function fitFeatures(
  plan: FeaturePlan,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  signal?: AbortSignal,
): Promise<Features> {
  const fit = new FeatureFit(plan);
  for await (const batch of batches) {
    signal?.throwIfAborted();
    fit.add(batch);
  }
  return fit.finish();
}
