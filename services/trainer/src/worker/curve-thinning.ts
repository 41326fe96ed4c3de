import type { Clock } from "@aimass/core";

/** A point of a curve. */
export interface Point {
  readonly name: string;
  readonly step: number;
  readonly value: number;
}

/** This share of the budget is told at once, so that a short training keeps every point. */
const burstShare = 5;
const firstIntervalMs = 50;
/** The interval doubles each time this share of the budget is used up: the last one lasts for weeks. */
const doublings = 20;
const mostCurves = 100;

/**
 * Keeps curves within a budget of points, however long a training lasts and however often it tells: the first points all, then one of each curve in an interval
 * that grows. What was held back last is told at the end.
 */
export class CurveThinning {
  readonly #tell: (point: Point) => void;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #budget: number;
  readonly #curves = new Map<string, { toldAt: number; held: Point | undefined }>();
  #told = 0;

  constructor(options: { tell: (point: Point) => void; clock: Pick<Clock, "monotonic">; budget: number }) {
    this.#tell = options.tell;
    this.#clock = options.clock;
    this.#budget = options.budget;
  }

  /** Points of more than 100 curves, and values that are no number, are left out; says whether it took the point. */
  add(point: Point): boolean {
    const curve = this.#curves.get(point.name) ?? this.#begin(point.name);
    if (curve === undefined || Number.isNaN(point.value)) return false;
    const now = this.#clock.monotonic();
    // One for each curve is kept for its end.
    const isSpent = this.#told + this.#curves.size >= this.#budget;
    if (isSpent || now - curve.toldAt < this.#intervalMs()) curve.held = point;
    else {
      curve.held = undefined;
      curve.toldAt = now;
      this.#send(point);
    }
    return true;
  }

  /** Tells what was held back. */
  flush(): void {
    for (const curve of this.#curves.values()) {
      if (curve.held !== undefined && this.#told < this.#budget) this.#send(curve.held);
      curve.held = undefined;
    }
  }

  #begin(name: string) {
    if (this.#curves.size >= mostCurves) return undefined;
    const curve = { toldAt: Number.NEGATIVE_INFINITY, held: undefined as Point | undefined };
    this.#curves.set(name, curve);
    return curve;
  }

  #intervalMs(): number {
    const burst = this.#budget / burstShare;
    if (this.#told < burst) return 0;
    return firstIntervalMs * 2 ** Math.floor(((this.#told - burst) / (this.#budget - burst)) * doublings);
  }

  #send(point: Point): void {
    this.#told += 1;
    this.#tell(point);
  }
}
