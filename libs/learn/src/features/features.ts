import { AimassError } from "@aimass/core";
import type { GraphBuilder } from "@aimass/onnx";
import type { Matrix } from "../matrix.ts";
import type { ColumnBaseline } from "./baseline.ts";
import type { Block, BlockJson } from "./block.ts";
import { blockFromJson } from "./blocks.ts";
import { readColumns } from "./column-reading.ts";
import type { Batch } from "./columns.ts";
import { FeatureGraph, type FeatureInput } from "./feature-graph.ts";
import { joinDense, joinSparse } from "./join-columns.ts";
import type { PlanColumn } from "./plan.ts";

/** Features as a graph has them. */
export interface FeaturesInGraph {
  /** One for each column, named after it. A missing value is NaN for FP32 and "" for BYTES. */
  readonly inputs: readonly FeatureInput[];
  /** Name of the FP32 [N, cols] value. */
  readonly output: string;
}

/** Fitted features as plain JSON. */
export interface FeaturesJson {
  readonly format: 1;
  readonly columns: readonly PlanColumn[];
  readonly blocks: readonly BlockJson[];
  readonly baseline: readonly ColumnBaseline[];
}

/** Fitted features: one computation, done on batches for training and in a graph for serving. */
export class Features {
  /** Columns the features read: the inputs of the graph. */
  readonly columns: readonly PlanColumn[];
  readonly baseline: readonly ColumnBaseline[];
  readonly cols: number;
  /** What `transform` returns: sparse where most of many features are zero. */
  readonly layout: Matrix["kind"];
  private readonly blocks: readonly Block[];
  private names: readonly string[] | undefined;

  constructor(columns: readonly PlanColumn[], blocks: readonly Block[], baseline: readonly ColumnBaseline[]) {
    this.columns = columns;
    this.blocks = blocks.filter((block) => block.width > 0);
    this.baseline = baseline;
    this.cols = blocks.reduce((sum, block) => sum + block.width, 0);
    if (this.cols === 0) throw nothingLeft();
    const filled = blocks.reduce((sum, block) => sum + block.width * block.density, 0);
    this.layout = this.cols > 128 && filled / this.cols < 0.25 ? "sparse" : "dense";
  }

  static fromJson(json: FeaturesJson): Features {
    if (json.format !== 1) {
      throw new AimassError("INVALID_ARGUMENT", `Fitted features of format ${json.format} are not known; 1 is.`);
    }
    return new Features(json.columns, json.blocks.map(blockFromJson), json.baseline);
  }

  /** A name for each column of the matrix. */
  get featureNames(): readonly string[] {
    this.names ??= this.blocks.flatMap((block) => block.names());
    return this.names;
  }

  /** For each column how far a value in serving may be from the one in training; undefined: no value differs at all. */
  get tolerances(): Float32Array | undefined {
    if (this.blocks.every((block) => block.tolerance === 0)) return undefined;
    const tolerances = new Float32Array(this.cols);
    let from = 0;
    for (const { width, tolerance } of this.blocks) {
      tolerances.fill(tolerance, from, from + width);
      from += width;
    }
    return tolerances;
  }

  /** Features of a batch, FP32 rows × `cols`. Throws INVALID_ARGUMENT with column and row for data that do not fit. */
  transform(batch: Batch): Matrix {
    const read = readColumns(batch, this.columns);
    const parts = this.blocks.map((block) => block.transform(read));
    return this.layout === "dense" ? joinDense(parts, batch.rows) : joinSparse(parts, batch.rows);
  }

  /** By column of categories how many rows of a batch have one that was not learnt. */
  strangers(batch: Batch): ReadonlyMap<string, number> {
    const read = readColumns(batch, this.columns);
    const found = this.blocks.map((block) => block.strangers?.(read));
    return new Map(found.flatMap((one) => (one === undefined ? [] : [[one.column, one.rows] as const])));
  }

  /**
   * Adds inputs and computation to a graph made with `featureGraphOptions`, before anything else is. `missing`: words that the data were read with as
   * "no value"; the graph takes them for that, too.
   */
  addToGraph(builder: GraphBuilder, missing: readonly string[] = []): FeaturesInGraph {
    const graph = new FeatureGraph(builder, this.columns, missing);
    const output = graph.join(this.blocks.map((block) => block.addToGraph(graph)));
    return { inputs: graph.inputs, output };
  }

  toJson(): FeaturesJson {
    const blocks = this.blocks.map((block) => block.toJson());
    return { format: 1, columns: this.columns, blocks, baseline: this.baseline };
  }
}

function nothingLeft(): AimassError {
  return new AimassError("FAILED_PRECONDITION", "The data leave nothing to learn from: no feature has a value.", {
    reason: "NO_FEATURES",
    remedy:
      "Texts need words within the plan's limits, categories must occur often enough; choose other columns or limits.",
  });
}
