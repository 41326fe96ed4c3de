import type { InferenceSession } from "onnxruntime-node";
import { elementTypeOf } from "../element-types.ts";
import type { Signature, TensorSpec } from "../signature.ts";
import { cleanRuntimeMessage } from "./clean-message.ts";
import { type Elements, type NumericElements, type Runtime, runtimeTensor } from "./runtime.ts";
import { batchOf, type TrialStyle, type TrialTensor, toleranceOf, trialSample, trialStyles } from "./trial-inputs.ts";

/** One output of a trial run. */
export interface TrialOutput {
  readonly shape: readonly number[];
  readonly elements: Elements;
}

/** What the trial runs showed. */
export interface TrialResult {
  readonly ran: boolean;
  readonly batchable: boolean;
  /** Shapes of the outputs of one sample, by name; empty when nothing ran. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly notes: readonly string[];
}

const seeds = [17, 23, 71] as const;

/** Runs a session on generated inputs: first one sample, then, where axis 0 may be a batch, two and three against one by one. */
export class Trial {
  private readonly runtime: Runtime;
  private readonly session: InferenceSession;
  private readonly signature: Signature;

  constructor(runtime: Runtime, session: InferenceSession, signature: Signature) {
    this.runtime = runtime;
    this.session = session;
    this.signature = signature;
  }

  async run(): Promise<TrialResult> {
    let refusal = "The generated inputs would be too large.";
    for (const style of trialStyles) {
      const sample = trialSample(this.signature.inputs, style, seeds[0]);
      if (sample === undefined) continue;
      const outputs = await this.runOnce(sample);
      if (typeof outputs === "string") {
        if (style === trialStyles[0]) refusal = outputs;
        continue;
      }
      const shapes = new Map([...outputs].map(([name, output]) => [name, output.shape]));
      const why = await this.whyNotBatchable(style, outputs);
      return {
        ran: true,
        batchable: why === undefined,
        shapes,
        notes: why === undefined ? [] : [`No batches: ${why}`],
      };
    }
    const note = `No trial run went through, so batches are off. ${refusal}`;
    return { ran: false, batchable: false, shapes: new Map(), notes: [note] };
  }

  /** The outputs of one run, or the runtime's sentence when it refused the inputs. */
  private async runOnce(inputs: readonly TrialTensor[]): Promise<ReadonlyMap<string, TrialOutput> | string> {
    try {
      const feeds = inputs.map(({ spec, shape, elements }) => {
        const type = elementTypeOf(spec.datatype === "BF16" ? "FP32" : spec.datatype);
        return [spec.name, runtimeTensor(this.runtime, type, elements, shape)];
      });
      const outputs = await this.session.run(Object.fromEntries(feeds));
      return new Map(
        Object.entries(outputs).map(([name, tensor]) => [
          name,
          { shape: tensor.dims, elements: tensor.data as Elements },
        ]),
      );
    } catch (error) {
      return cleanRuntimeMessage((error as Error).message);
    }
  }

  private async whyNotBatchable(
    style: TrialStyle,
    first: ReadonlyMap<string, TrialOutput>,
  ): Promise<string | undefined> {
    const fixed = this.fixedAxis();
    if (fixed !== undefined) return fixed;
    const singles = [first];
    const samples = seeds.map((seed) => trialSample(this.signature.inputs, style, seed) as TrialTensor[]);
    for (const sample of samples.slice(1)) {
      const outputs = await this.runOnce(sample);
      if (typeof outputs === "string") return outputs;
      singles.push(outputs);
    }
    for (const size of [2, 3]) {
      const batched = await this.runOnce(batchOf(samples.slice(0, size)));
      if (typeof batched === "string") return `a batch of ${size} was refused: ${batched}`;
      const difference = this.difference(batched, singles.slice(0, size));
      if (difference !== undefined) return difference;
    }
    return undefined;
  }

  private fixedAxis(): string | undefined {
    const { inputs, outputs } = this.signature;
    if (inputs.length === 0) return "the model takes no inputs.";
    for (const [what, specs] of [
      ["input", inputs],
      ["output", outputs],
    ] as const) {
      const fixed = specs.find((spec) => spec.shape[0] === undefined || spec.shape[0] >= 0n);
      if (fixed !== undefined) return `axis 0 of ${what} ${JSON.stringify(fixed.name)} is fixed.`;
    }
    return undefined;
  }

  private difference(
    batched: ReadonlyMap<string, TrialOutput>,
    singles: readonly ReadonlyMap<string, TrialOutput>[],
  ): string | undefined {
    for (const spec of this.signature.outputs) {
      const whole = batched.get(spec.name);
      const parts = singles.map((single) => single.get(spec.name));
      const name = JSON.stringify(spec.name);
      if (whole === undefined || parts.includes(undefined)) return `output ${name} came and went.`;
      if (!stacks(whole, parts as TrialOutput[])) return `output ${name} does not grow with the batch.`;
      if (!equalStacked(spec, whole, parts as TrialOutput[])) return `output ${name} differs in a batch.`;
    }
    return undefined;
  }
}

/** Whether the batched shape is the single shapes stacked along axis 0. */
function stacks(whole: TrialOutput, parts: readonly TrialOutput[]): boolean {
  return parts.every(
    (part) =>
      part.shape[0] === 1 &&
      whole.shape[0] === parts.length &&
      part.shape.length === whole.shape.length &&
      part.shape.slice(1).every((axis, index) => axis === whole.shape[index + 1]),
  );
}

function equalStacked(spec: TensorSpec, whole: TrialOutput, parts: readonly TrialOutput[]): boolean {
  const tolerance = toleranceOf(spec);
  let at = 0;
  for (const part of parts) {
    for (let index = 0; index < part.elements.length; index++, at++) {
      if (!close(elementAt(spec, whole.elements, at), elementAt(spec, part.elements, index), tolerance)) return false;
    }
  }
  return at === whole.elements.length;
}

function elementAt(spec: TensorSpec, elements: Elements, index: number): string | number | bigint {
  const element = (elements as NumericElements | string[])[index] as string | number | bigint;
  return spec.datatype === "FP16" ? numberOfHalf(element as number) : element;
}

function close(left: string | number | bigint, right: string | number | bigint, tolerance: number): boolean {
  if (Object.is(left, right) || left === right) return true;
  if (typeof left !== "number" || typeof right !== "number") return false;
  return Math.abs(left - right) <= tolerance * Math.max(1, Math.abs(left), Math.abs(right));
}

/** The number of an FP16 bit pattern (IEEE 754 binary16). */
function numberOfHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
