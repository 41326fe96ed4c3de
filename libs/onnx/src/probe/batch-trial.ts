import type { TensorSpec } from "../signature.ts";
import { distance, stacks, type TrialOutputs, toleranceOf } from "./compare-rows.ts";
import { batchOf, type RowDraw, type RowKind, type TrialStyle, type TrialTensor } from "./trial-inputs.ts";

/** A row that the model takes, and what it gives alone. */
export interface TriedRow {
  readonly inputs: readonly TrialTensor[];
  readonly outputs: TrialOutputs;
}

/** The outputs of a run, or the runtime's sentence when it refused the inputs. */
export type RunOnce = (inputs: readonly TrialTensor[]) => Promise<TrialOutputs | string>;

/** What each row is made of; the first are the ones a small batch has. */
const kinds: readonly RowKind[] = ["plain", "outlier", "plain", "edges", "plain"];

/** Rows drawn for a batch at most: a model may refuse some of them. */
const mostDraws = 20;

/** Runs that take longer in all are enough, once two rows were compared; in milliseconds. */
const longEnoughMs = 5000;

/** Bytes of a row's inputs and outputs from which on no more than two rows are run at once. */
const heavyBytes = 16 * 1024 * 1024;

/** Rounding that a row shows beside copies of itself may be this large; beyond it, the copies are no copies to the model. */
const largestRounding = 0.05;

/**
 * Compares rows that were run together with the same rows alone: rows that differ in kind, batches of several sizes, axes of several lengths. Tells why answers
 * depend on neighbours, or undefined when none did. It proves nothing: it finds what the graph's analysis missed.
 */
export class BatchTrial {
  private readonly outputs: readonly TensorSpec[];
  private readonly draw: RowDraw;
  private readonly run: RunOnce;
  private readonly now: () => number;

  constructor(outputs: readonly TensorSpec[], draw: RowDraw, run: RunOnce, now: () => number) {
    this.outputs = outputs;
    this.draw = draw;
    this.run = run;
    this.now = now;
  }

  /** `first` is a row that was taken in this style. */
  async whyNot(style: TrialStyle, first: TriedRow): Promise<string | undefined> {
    const until = this.now() + longEnoughMs;
    const light = bytesOf(first) < heavyBytes;
    for (const axisLength of light ? lengths(style, first) : [style.axisLength]) {
      const isOwn = axisLength === style.axisLength;
      if (!isOwn && this.now() > until) return undefined;
      const rows = await this.rows({ ...style, axisLength }, isOwn ? [first] : [], light ? kinds.length : 2);
      if (rows.length < 2) {
        if (isOwn) return "all generated rows but one were refused.";
        continue;
      }
      const why = await this.compare(rows, light, until);
      if (why !== undefined) return why;
    }
    return undefined;
  }

  private async rows(style: TrialStyle, taken: readonly TriedRow[], wanted: number): Promise<TriedRow[]> {
    const rows = [...taken];
    for (let tries = 0; rows.length < wanted && tries < mostDraws; tries += 1) {
      const inputs = this.draw.row(style, tries < wanted ? (kinds[rows.length] as RowKind) : "plain");
      if (inputs === undefined) break;
      const outputs = await this.run(inputs);
      if (typeof outputs !== "string") rows.push({ inputs, outputs });
    }
    return rows;
  }

  private async compare(rows: readonly TriedRow[], light: boolean, until: number): Promise<string | undefined> {
    const [a, b, ...others] = rows as [TriedRow, TriedRow, ...TriedRow[]];
    const batches = light
      ? [
          [a, b],
          [...others, b, a],
          [b, a, ...others.slice(0, 1)],
        ]
      : [[a, b]];
    for (const [index, batch] of batches.entries()) {
      if (index > 0 && this.now() > until) return undefined;
      const why = await this.compareBatch(batch);
      if (why !== undefined) return why;
    }
    return undefined;
  }

  private async compareBatch(batch: readonly TriedRow[]): Promise<string | undefined> {
    const together = await this.run(batchOf(batch.map(({ inputs }) => inputs)));
    if (typeof together === "string") return `a batch of ${batch.length} was refused: ${together}`;
    for (const spec of this.outputs) {
      const whole = together.get(spec.name);
      const parts = batch.map(({ outputs }) => outputs.get(spec.name));
      const name = JSON.stringify(spec.name);
      if (whole === undefined || parts.includes(undefined)) return `output ${name} came and went.`;
      if (!stacks(whole, parts as NonNullable<(typeof parts)[number]>[]))
        return `output ${name} does not grow with the batch.`;
      for (const [index, row] of batch.entries()) {
        const apart = distance(spec, whole, index, row.outputs.get(spec.name) as NonNullable<(typeof parts)[number]>);
        if (apart > toleranceOf(spec) && !(await this.isRounding(spec, row, apart)))
          return `output ${name} of a row differed beside other rows.`;
      }
    }
    return undefined;
  }

  /**
   * Whether a difference is this row's own rounding: beside two copies of itself, where nobody else's numbers can reach it, it moves about as far. Labels that
   * change then stand on an edge.
   */
  private async isRounding(spec: TensorSpec, row: TriedRow, apart: number): Promise<boolean> {
    const copies = await this.run(batchOf([row.inputs, row.inputs, row.inputs]));
    const [whole, alone] = [typeof copies === "string" ? undefined : copies.get(spec.name), row.outputs.get(spec.name)];
    if (whole === undefined || alone === undefined || !stacks(whole, [alone, alone, alone])) return false;
    const own = Math.max(...[0, 1, 2].map((index) => distance(spec, whole, index, alone)));
    if (toleranceOf(spec) === 0) return own > 0;
    return own <= largestRounding && apart <= 10 * own;
  }
}

/** Axis lengths that are tried beside the one that worked, where there is an axis to change. */
function lengths({ axisLength }: TrialStyle, { inputs }: TriedRow): number[] {
  const isDynamic = inputs.some(({ spec }) => spec.shape.slice(1).some((axis) => axis < 0n));
  return isDynamic ? [axisLength, axisLength * 2, axisLength * 2 + 1] : [axisLength];
}

function bytesOf({ inputs, outputs }: TriedRow): number {
  return [...inputs, ...outputs.values()].reduce(
    (sum, { elements }) => sum + (Array.isArray(elements) ? elements.length * 8 : elements.byteLength),
    0,
  );
}
