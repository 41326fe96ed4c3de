import { type Json, packArray, unpackArray } from "../../packed-array.ts";
import { dot } from "./products.ts";

/** A smooth convex function. */
export interface Objective {
  /** Its value at `point`; writes the gradient. */
  evaluate(point: Float64Array, gradient: Float64Array): Promise<number>;
}

export interface MinimiseOptions {
  /** Ends when no component of the gradient is larger. */
  readonly tolerance: number;
  readonly maxIterations: number;
  /** Penalty on the absolute value of each component; then the gradient is the one of least length (OWL-QN). */
  readonly l1?: Float64Array | undefined;
  readonly onStep?: (step: number, value: number, state: () => Json) => void;
  readonly resume?: Json | undefined;
}

/** Pairs of past steps that the curvature is read from. */
const memory = 10;

/**
 * Limited-memory BFGS (Nocedal and Wright, algorithm 7.4) with backtracking; with `l1` the orthant-wise method of Andrew and Gao (2007). `point` holds the
 * start and then the minimum.
 */
export async function minimise(objective: Objective, point: Float64Array, options: MinimiseOptions): Promise<void> {
  const { l1 } = options;
  const history = new History();
  const first = options.resume === undefined ? 1 : restore(options.resume, point, history);
  let gradient: Float64Array = new Float64Array(point.length);
  let smooth = await objective.evaluate(point, gradient);
  for (let step = first; step <= options.maxIterations; step++) {
    const steepest = l1 === undefined ? gradient : leastGradient(point, gradient, l1);
    if (largest(steepest) <= options.tolerance) return;
    const direction = history.direction(steepest);
    if (l1 !== undefined)
      for (let i = 0; i < direction.length; i++) if (direction[i]! * steepest[i]! >= 0) direction[i] = 0;
    const value = smooth + absolutes(point, l1);
    const next = await search(objective, {
      point,
      direction,
      steepest,
      gradient,
      value,
      l1,
      first: history.size === 0,
    });
    if (next === undefined) return;
    history.add(point, next.point, gradient, next.gradient);
    point.set(next.point);
    gradient = next.gradient;
    smooth = next.smooth;
    const done = step;
    options.onStep?.(step, next.value, () => history.toJson(point, done + 1));
    if (value - next.value <= 1e-15 * Math.abs(value)) return;
  }
}

interface Start {
  readonly point: Float64Array;
  readonly direction: Float64Array;
  readonly steepest: Float64Array;
  readonly gradient: Float64Array;
  readonly value: number;
  readonly l1: Float64Array | undefined;
  readonly first: boolean;
}

/** Halves the step until the value falls by enough (Armijo); undefined when it cannot fall within the precision of numbers. */
async function search(objective: Objective, start: Start) {
  const { point, direction, steepest, l1 } = start;
  let length = start.first ? Math.min(1, 1 / Math.sqrt(dot(direction, direction))) : 1;
  for (let halvings = 0; halvings < 40; halvings++) {
    const candidate = new Float64Array(point.length);
    let slope = 0;
    for (let i = 0; i < point.length; i++) {
      let to = point[i]! + length * direction[i]!;
      // A step of the orthant-wise method ends where a weight would change its sign.
      if (l1 !== undefined && l1[i]! > 0 && to * (point[i]! || -steepest[i]!) < 0) to = 0;
      candidate[i] = to;
      slope += steepest[i]! * (to - point[i]!);
    }
    const gradient = new Float64Array(point.length);
    const smooth = await objective.evaluate(candidate, gradient);
    const value = smooth + absolutes(candidate, l1);
    if (value <= start.value + 1e-4 * slope && slope < 0) return { point: candidate, gradient, smooth, value };
    length *= 0.5;
  }
  return undefined;
}

/** Past steps and changes of the gradient, oldest first. */
class History {
  #steps: Float64Array[] = [];
  #changes: Float64Array[] = [];

  get size(): number {
    return this.#steps.length;
  }

  add(from: Float64Array, to: Float64Array, gradientFrom: Float64Array, gradientTo: Float64Array): void {
    const step = to.map((value, i) => value - from[i]!);
    const change = gradientTo.map((value, i) => value - gradientFrom[i]!);
    if (!(dot(step, change) > 1e-14 * dot(change, change))) return;
    this.#steps.push(step);
    this.#changes.push(change);
    if (this.#steps.length <= memory) return;
    this.#steps.shift();
    this.#changes.shift();
  }

  /** −H·gradient by the two-loop recursion. */
  direction(gradient: Float64Array): Float64Array {
    const q = gradient.map((value) => -value);
    const shares = new Float64Array(this.size);
    for (let i = this.size - 1; i >= 0; i--) {
      const [step, change] = [this.#steps[i]!, this.#changes[i]!];
      shares[i] = dot(step, q) / dot(step, change);
      for (let j = 0; j < q.length; j++) q[j]! -= shares[i]! * change[j]!;
    }
    if (this.size > 0) {
      const [step, change] = [this.#steps.at(-1)!, this.#changes.at(-1)!];
      const scale = dot(step, change) / dot(change, change);
      for (let j = 0; j < q.length; j++) q[j]! *= scale;
    }
    for (let i = 0; i < this.size; i++) {
      const [step, change] = [this.#steps[i]!, this.#changes[i]!];
      const back = shares[i]! - dot(change, q) / dot(step, change);
      for (let j = 0; j < q.length; j++) q[j]! += back * step[j]!;
    }
    return q;
  }

  toJson(point: Float64Array, next: number): Json {
    const [steps, changes] = [
      this.#steps.map((step) => packArray(step)),
      this.#changes.map((change) => packArray(change)),
    ];
    return { kind: "minimise", next, point: packArray(point), steps, changes };
  }

  load(steps: readonly Json[], changes: readonly Json[]): void {
    this.#steps = steps.map((step) => unpackArray("Float64Array", step));
    this.#changes = changes.map((change) => unpackArray("Float64Array", change));
  }
}

/** Puts point and history back; the step to go on with, or 1 when the checkpoint is of something else. */
function restore(json: Json, point: Float64Array, history: History): number {
  const saved = json as { kind?: string; next: number; point: Json; steps: readonly Json[]; changes: readonly Json[] };
  if (saved?.kind !== "minimise") return 1;
  const from = unpackArray("Float64Array", saved.point);
  if (from.length !== point.length) return 1;
  point.set(from);
  history.load(saved.steps, saved.changes);
  return saved.next;
}

/** The subgradient of least length of value + Σ l1·|point|. */
function leastGradient(point: Float64Array, gradient: Float64Array, l1: Float64Array): Float64Array {
  return gradient.map((g, i) => {
    const penalty = l1[i]!;
    if (point[i]! > 0) return g + penalty;
    if (point[i]! < 0) return g - penalty;
    if (g + penalty < 0) return g + penalty;
    return Math.max(g - penalty, 0);
  });
}

function absolutes(point: Float64Array, l1: Float64Array | undefined): number {
  if (l1 === undefined) return 0;
  let sum = 0;
  for (let i = 0; i < point.length; i++) sum += l1[i]! * Math.abs(point[i]!);
  return sum;
}

function largest(values: Float64Array): number {
  let max = 0;
  for (let i = 0; i < values.length; i++) max = Math.max(max, Math.abs(values[i]!));
  return max;
}
