import { code, instantiate, type Kernel, type KernelCode } from "./wasm.ts";

/** Rows multiplied in one go, so that two panels of columns stay in the first-level cache; a multiple of 4. */
const blockRows = 64;
const panelColumns = 4;
const panelBytes = 8 * panelColumns * blockRows;
const pairBytes = 16 * panelColumns;

/**
 * Σᵣ rowᵣᵀ·rowᵣ, where a row is its cells less a shift, a target and 1, all times a factor of the row. Rows wait in panels of four columns, within a panel in
 * pairs of rows, so that what is multiplied lies side by side. Sums of even and odd rows of a block are added at the end of it, always in that order.
 */
export class GramSums {
  readonly blockRows = blockRows;
  /** Cells of the rows that wait, [blockRows × cols]. */
  readonly cells: Float32Array;
  /** Their targets. */
  readonly targets: Float64Array;
  /** What they are multiplied with. */
  readonly factors: Float64Array;
  /** What is taken off the cells of each column. */
  readonly shift: Float64Array;
  readonly #cols: number;
  readonly #panels: number;
  readonly #block: Float64Array;
  readonly #sums: Float64Array;
  readonly #addresses: {
    readonly cells: number;
    readonly shift: number;
    readonly factors: number;
    readonly sums: number;
  };
  readonly #pack: Kernel;
  readonly #multiply: Kernel;

  /** Memory: 4 · cols² bytes and some more. */
  constructor(cols: number) {
    const panels = Math.ceil((cols + 2) / panelColumns);
    const sums = 8 * panels * (panels + 1);
    const cells = panels * panelBytes;
    // The last panel may take cells from behind the last row: they are there, and never looked at.
    const shift = cells + 4 * (cols * blockRows + panelColumns);
    const aligned = 16 * Math.ceil(shift / 16);
    const factors = aligned + 8 * panelColumns * panels;
    const sumsAt = factors + 8 * blockRows;
    const { memory, run } = instantiate(sumsAt + 8 * sums, [packRows, multiplyPanels]);
    this.#cols = cols;
    this.#panels = panels;
    this.#addresses = { cells, shift: aligned, factors, sums: sumsAt };
    this.#block = new Float64Array(memory, 0, cells / 8);
    this.cells = new Float32Array(memory, cells, cols * blockRows);
    this.shift = new Float64Array(memory, aligned, cols);
    this.factors = new Float64Array(memory, factors, blockRows);
    this.targets = new Float64Array(blockRows);
    this.#sums = new Float64Array(memory, sumsAt, sums);
    [this.#pack, this.#multiply] = run as [Kernel, Kernel];
  }

  /** Adds the products of the first rows that wait. */
  add(rows: number): void {
    const { cells, shift, factors, sums } = this.#addresses;
    this.factors.fill(0, rows);
    this.#pack(cells, 4 * this.#cols, shift, factors, this.#panels * panelBytes);
    this.#putTargets(rows);
    const end = this.#panels * panelBytes;
    let to = sums;
    for (let panel = 0; panel < this.#panels; panel++) {
      for (let half = 0; half < 2; half++) {
        this.#multiply(panel * panelBytes + 32 * half, panel * panelBytes, end, to);
        to += 64 * (this.#panels - panel);
      }
    }
  }

  /** Σ rowᵢ·rowⱼ for i ≤ j: cells by their column, then the target, then 1. */
  sumOf(i: number, j: number): number {
    const panel = i >> 2;
    // Sums stand by pairs of columns i, each against all panels from its own on: two pairs for every panel before.
    const before = panel * (2 * this.#panels - panel + 1) + ((i >> 1) & 1) * (this.#panels - panel);
    return this.#sums[8 * (before + (j >> 2) - panel) + 2 * (j & 3) + (i & 1)]!;
  }

  #putTargets(rows: number): void {
    const block = this.#block;
    const at = (column: number) => (column >> 2) * (panelBytes / 8) + (column & 3) * 2;
    const [target, one] = [at(this.#cols), at(this.#cols + 1)];
    for (let r = 0; r < blockRows; r++) {
      const row = (r >> 1) * 2 * panelColumns + (r & 1);
      block[target + row] = r < rows ? this.targets[r]! * this.factors[r]! : 0;
      block[one + row] = this.factors[r]!;
    }
  }
}

const add = (local: number, by: readonly number[]) => [...code.get(local), ...by, ...code.add, ...code.set(local)];

/** Rows of FP32 (address, bytes of one) less a shift (address of FP64) times factors (address) into the panels from address 0 up to `end`. */
const packRows: KernelCode = (() => {
  const [cells, rowBytes, shift, factors, end] = [0, 1, 2, 3, 4] as const;
  const [pair, to, even, odd, shiftAt] = [5, 6, 7, 8, 9] as const;
  const [evenFactor, oddFactor, evenPair, oddPair] = [10, 11, 12, 13] as const;
  const shifted = (row: number, half: number, factor: number) => [
    ...[...code.get(row), ...code.loadPromoted(8 * half), ...code.get(shiftAt), ...code.loadPair(16 * half)],
    ...[...code.subtractPairs, ...code.get(factor), ...code.multiplyPairs],
  ];
  const halves = [0, 1].flatMap((half) => [
    ...[
      ...shifted(even, half, evenFactor),
      ...code.set(evenPair),
      ...shifted(odd, half, oddFactor),
      ...code.set(oddPair),
    ],
    ...([0, 1] as const).flatMap((lane) => [
      ...[...code.get(to), ...code.get(evenPair), ...code.get(oddPair), ...code.zip(lane)],
      ...code.storePair(32 * half + 16 * lane),
    ]),
  ]);
  return {
    parameters: 5,
    wholes: 5,
    pairs: 4,
    body: [
      ...code.loop,
      ...[
        ...code.get(cells),
        ...code.set(even),
        ...code.get(cells),
        ...code.get(rowBytes),
        ...code.add,
        ...code.set(odd),
      ],
      ...[...code.get(shift), ...code.set(shiftAt), ...code.get(pair), ...code.set(to)],
      ...[...code.get(factors), ...code.loadSplat(0), ...code.set(evenFactor)],
      ...[...code.get(factors), ...code.loadSplat(8), ...code.set(oddFactor)],
      ...code.loop,
      ...halves,
      ...[...code.move(even, 16), ...code.move(odd, 16), ...code.move(shiftAt, 32)],
      ...[...code.move(to, panelBytes), ...code.get(to), ...code.get(end), ...code.less, ...code.repeatIf],
      ...code.end,
      ...[...add(cells, code.get(rowBytes)), ...add(cells, code.get(rowBytes)), ...code.move(factors, 16)],
      ...code.move(pair, pairBytes),
      ...[...code.get(pair), ...code.constant(panelBytes), ...code.less, ...code.repeatIf],
      ...code.end,
    ],
  };
})();

/** Two columns (address a) against all panels from address c up to `end`, eight sums for each panel from address `to` on. */
const multiplyPanels: KernelCode = (() => {
  const [a, c, end, to, at, atC] = [0, 1, 2, 3, 4, 5] as const;
  const [firstSum, pairA, pairB, pairOther] = [6, 14, 15, 16] as const;
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
  return {
    parameters: 4,
    wholes: 2,
    pairs: 11,
    body: [
      ...[...code.get(c), ...code.set(atC)],
      ...code.loop,
      ...[...code.get(a), ...code.set(at)],
      ...sums.flatMap((sum) => [...code.zeroPair, ...code.set(sum)]),
      ...code.loop,
      ...[...code.get(at), ...code.loadPair(0), ...code.set(pairA)],
      ...[...code.get(at), ...code.loadPair(16), ...code.set(pairB)],
      ...others,
      ...[...code.move(at, pairBytes), ...code.move(atC, pairBytes)],
      // A panel ends where the next one begins, for the column as for the panel it stands against.
      ...[...code.get(atC), ...code.get(c), ...code.constant(panelBytes), ...code.add, ...code.less, ...code.repeatIf],
      ...code.end,
      ...sums.flatMap((sum, n) => [
        ...[...code.get(to), ...code.get(to), ...code.loadNumber(8 * n)],
        ...[...code.get(sum), ...code.half(0), ...code.get(sum), ...code.half(1), ...code.addNumbers],
        ...[...code.addNumbers, ...code.storeNumber(8 * n)],
      ]),
      ...[...code.move(to, 64), ...code.move(c, panelBytes)],
      ...[...code.get(c), ...code.get(end), ...code.less, ...code.repeatIf],
      ...code.end,
    ],
  };
})();
