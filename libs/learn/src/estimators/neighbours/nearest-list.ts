/** The nearest rows seen so far, nearest first; among equal distances the one seen first. */
export class NearestList {
  readonly distances: Float64Array;
  readonly rows: Int32Array;
  /** A row has to be nearer than this to get in. */
  farthest = Number.POSITIVE_INFINITY;
  size = 0;

  constructor(capacity: number) {
    this.distances = new Float64Array(capacity);
    this.rows = new Int32Array(capacity);
  }

  clear(): void {
    this.size = 0;
    this.farthest = Number.POSITIVE_INFINITY;
  }

  add(row: number, distance: number): void {
    let at = this.size < this.rows.length ? this.size++ : this.size - 1;
    while (at > 0 && this.distances[at - 1]! > distance) {
      this.distances[at] = this.distances[at - 1]!;
      this.rows[at] = this.rows[at - 1]!;
      at--;
    }
    this.distances[at] = distance;
    this.rows[at] = row;
    if (this.size === this.rows.length) this.farthest = this.distances[this.size - 1]!;
  }
}
