import type { InferenceSession } from "onnxruntime-node";
import { elementTypeOf } from "../element-types.ts";
import type { Signature } from "../signature.ts";
import { BatchTrial, type TriedRow } from "./batch-trial.ts";
import { cleanRuntimeMessage } from "./clean-message.ts";
import { isSame, type TrialOutputs } from "./compare-rows.ts";
import type { ListedValues } from "./listed-values.ts";
import { type Elements, type Runtime, runtimeTensor } from "./runtime.ts";
import { batchOf, RowDraw, type TrialStyle, type TrialTensor, trialStyles } from "./trial-inputs.ts";

/** What the trial runs showed. */
export interface TrialResult {
  readonly ran: boolean;
  /** Lengths of the outputs' axes in every run, by name; empty when nothing ran. */
  readonly shapes: ReadonlyMap<string, readonly (readonly number[])[]>;
  /** Why rows must not share a run, where they may by the graph; undefined when nothing speaks against it, or batches were not tried. */
  readonly whyNotBatched: string | undefined;
  /** The first output that was another for the same input after other inputs had been run; undefined when none was. */
  readonly changedOutput?: string | undefined;
  readonly notes: readonly string[];
}

/** Integers that are tried as ids, beyond those that were taken first. */
const largerIntegers = [3, 9, 40, 200];

/** A model that takes longer for one run, in milliseconds, is not asked the same again. */
const longestRepeatedMs = 5000;

/** Runs a session on generated inputs: one sample, and then, where rows may share a run, batches against one by one. */
export class Trial {
  private readonly runtime: Runtime;
  private readonly session: InferenceSession;
  private readonly signature: Signature;
  private readonly draw: RowDraw;
  private readonly shapes = new Map<string, (readonly number[])[]>();

  constructor(
    runtime: Runtime,
    session: InferenceSession,
    signature: Signature,
    listed: ReadonlyMap<string, ListedValues> = new Map(),
  ) {
    this.runtime = runtime;
    this.session = session;
    this.signature = signature;
    this.draw = new RowDraw(signature.inputs, listed);
  }

  /** `compares`: whether batches are compared, because the graph keeps rows apart. */
  async run(compares: boolean): Promise<TrialResult> {
    let refusal = "The generated inputs would be too large.";
    for (const style of trialStyles) {
      const inputs = this.draw.row(style, "plain");
      if (inputs === undefined) continue;
      const start = performance.now();
      const outputs = await this.runOnce(inputs);
      if (typeof outputs !== "string") {
        const isQuick = performance.now() - start <= longestRepeatedMs;
        const tried = await this.tried(style, { inputs, outputs }, compares);
        return isQuick ? { ...tried, changedOutput: await this.changedOutput(style, { inputs, outputs }) } : tried;
      }
      if (style === trialStyles[0]) refusal = outputs;
    }
    const why = `no generated input was taken. ${refusal}`;
    return { ran: false, shapes: new Map(), whyNotBatched: why, notes: [`No trial run went through: ${why}`] };
  }

  private async tried(style: TrialStyle, first: TriedRow, compares: boolean): Promise<TrialResult> {
    let whyNotBatched: string | undefined;
    if (compares) {
      const trial = new BatchTrial(
        this.signature.outputs,
        this.draw,
        (inputs) => this.runOnce(inputs),
        () => performance.now(),
      );
      whyNotBatched = await trial.whyNot(await this.withIds(style), first);
    } else if (this.signature.inputs.every(({ shape }) => (shape[0] ?? 0n) < 0n)) {
      // Not to be batched, but which axes grow with the rows is part of the signature all the same.
      await this.runOnce(batchOf([first.inputs, first.inputs]));
    }
    return { ran: true, shapes: this.shapes, whyNotBatched, notes: [] };
  }

  /** Runs another row, and then the first one once more. */
  private async changedOutput(style: TrialStyle, first: TriedRow): Promise<string | undefined> {
    const other = this.draw.row(style, "outlier");
    if (other !== undefined) await this.runOnce(other);
    const again = await this.runOnce(first.inputs);
    // A run that fails, for want of memory for instance, shows no state.
    if (typeof again === "string") return undefined;
    return this.signature.outputs.find((spec) => {
      const [before, after] = [first.outputs.get(spec.name), again.get(spec.name)];
      return before !== undefined && (after === undefined || !isSame(spec, before, after));
    })?.name;
  }

  /** The style with the largest integers the model takes, so that ids differ. */
  private async withIds(style: TrialStyle): Promise<TrialStyle> {
    if (!this.signature.inputs.some(({ datatype }) => /^U?INT/.test(datatype))) return style;
    let taken = style;
    for (const largestInteger of largerIntegers.filter((integer) => integer > style.largestInteger)) {
      const wider = { ...style, largestInteger };
      const inputs = this.draw.row(wider, "largest");
      if (inputs === undefined || typeof (await this.runOnce(inputs)) === "string") break;
      taken = wider;
    }
    return taken;
  }

  /** The outputs of one run, or the runtime's sentence when it refused the inputs. */
  private async runOnce(inputs: readonly TrialTensor[]): Promise<TrialOutputs | string> {
    try {
      const feeds = inputs.map(({ spec, shape, elements }) => {
        const type = elementTypeOf(spec.datatype === "BF16" ? "FP32" : spec.datatype);
        return [spec.name, runtimeTensor(this.runtime, type, elements, shape)];
      });
      const outputs = Object.entries(await this.session.run(Object.fromEntries(feeds)));
      for (const [name, { dims }] of outputs) this.shapes.set(name, [...(this.shapes.get(name) ?? []), dims]);
      return new Map(outputs.map(([name, { dims, data }]) => [name, { shape: dims, elements: data as Elements }]));
    } catch (error) {
      return cleanRuntimeMessage((error as Error).message);
    }
  }
}
