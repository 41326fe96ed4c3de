import { code, instantiate, type Kernel, type KernelCode } from "./wasm.ts";

/** Rows multiplied in one go, so that two panels of columns stay in the first-level cache; a multiple of 4. */
const blockRows = 64;
const panelColumns = 4;
const panelBytes = 8 * panelColumns * blockRows;

/**
 * Σᵣ rowᵣᵀ·rowᵣ over rows that come one by one. They wait in panels of four columns, within a panel in pairs of rows, so that what is multiplied lies side
 * by side. Sums of even and odd rows of a block are added at the end of it, always in that order.
 */
export class GramSums {
  readonly blockRows = blockRows;
  readonly panelStep = panelBytes / 8;
  /** Numbers of the rows that wait: column j of row r is at `positionOf(r) + (j >> 2) * panelStep + (j & 3) * 2`. */
  readonly block: Float64Array;
  readonly #panels: number;
  readonly #sums: Float64Array;
  readonly #sumsAt: number;
  readonly #multiply: Kernel;

  /** Memory: 4 · size² bytes and more. */
  constructor(size: number) {
    this.#panels = Math.ceil(size / panelColumns);
    this.#sumsAt = this.#panels * panelBytes;
    const sums = 8 * this.#panels * (this.#panels + 1);
    const { memory, run } = instantiate(this.#sumsAt + 8 * sums, [multiplyPanels]);
    this.block = new Float64Array(memory, 0, this.#sumsAt / 8);
    this.#sums = new Float64Array(memory, this.#sumsAt, sums);
    this.#multiply = run[0]!;
  }

  positionOf(row: number): number {
    return (row >> 1) * 2 * panelColumns + (row & 1);
  }

  /** Adds the products of the block's first rows. */
  multiply(rows: number): void {
    for (let row = rows; row < blockRows; row++) this.#clear(row);
    const end = this.#panels * panelBytes;
    let to = this.#sumsAt;
    for (let panel = 0; panel < this.#panels; panel++) {
      for (let half = 0; half < 2; half++) {
        this.#multiply(panel * panelBytes + 32 * half, panel * panelBytes, end, to);
        to += 64 * (this.#panels - panel);
      }
    }
  }

  #clear(row: number): void {
    for (let panel = 0; panel < this.#panels; panel++) {
      const at = this.positionOf(row) + panel * this.panelStep;
      for (let column = 0; column < panelColumns; column++) this.block[at + 2 * column] = 0;
    }
  }

  /** Σ rowᵢ·rowⱼ for i ≤ j. */
  sumOf(i: number, j: number): number {
    const panel = i >> 2;
    // Sums stand by pairs of columns i, each against all panels from its own on: two pairs for every panel before.
    const before = panel * (2 * this.#panels - panel + 1) + ((i >> 1) & 1) * (this.#panels - panel);
    return this.#sums[8 * (before + (j >> 2) - panel) + 2 * (j & 3) + (i & 1)]!;
  }
}

/** Two columns (address a) against all panels from address c up to `end`, eight sums for each panel from address `to` on. */
const multiplyPanels: KernelCode = (() => {
  const [a, c, end, to, at, atC] = [0, 1, 2, 3, 4, 5] as const;
  const [firstSum, pairA, pairB, pairOther, zero] = [6, 14, 15, 16, 17] as const;
  const addProduct = (sum: number, pair: number) => [
    ...[...code.get(sum), ...code.get(pair), ...code.get(pairOther)],
    ...[...code.multiplyPairs, ...code.addPairs, ...code.set(sum)],
  ];
  const sums = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => firstSum + n);
  const others = [0, 1, 2, 3].flatMap((other) => [
    ...[...code.get(atC), ...code.loadPair(16 * other), ...code.set(pairOther)],
    ...addProduct(firstSum + 2 * other, pairA),
    ...addProduct(firstSum + 2 * other + 1, pairB),
  ]);
  const move = (local: number, by: readonly number[]) => [...code.get(local), ...by, ...code.add, ...code.set(local)];
  const step = 16 * panelColumns;
  return {
    parameters: 4,
    wholes: 2,
    pairs: 12,
    body: [
      ...[...code.get(c), ...code.set(atC)],
      ...code.loop,
      ...[...code.get(a), ...code.set(at)],
      ...sums.flatMap((sum) => [...code.get(zero), ...code.set(sum)]),
      ...code.loop,
      ...[...code.get(at), ...code.loadPair(0), ...code.set(pairA)],
      ...[...code.get(at), ...code.loadPair(16), ...code.set(pairB)],
      ...others,
      ...[...move(at, code.constant(step)), ...move(atC, code.constant(step))],
      // A panel ends where the next one begins, for the column as for the panel it stands against.
      ...[
        ...code.get(atC),
        ...code.get(c),
        ...code.constant(panelBytes),
        ...code.add,
        ...code.less,
        ...code.repeatIf(),
      ],
      ...code.end,
      ...sums.flatMap((sum, n) => [
        ...[...code.get(to), ...code.get(to), ...code.loadNumber(8 * n)],
        ...[...code.get(sum), ...code.half(0), ...code.get(sum), ...code.half(1), ...code.addNumbers],
        ...[...code.addNumbers, ...code.storeNumber(8 * n)],
      ]),
      ...[...move(to, code.constant(64)), ...move(c, code.constant(panelBytes))],
      ...[...code.get(c), ...code.get(end), ...code.less, ...code.repeatIf()],
      ...code.end,
    ],
  };
})();
