import { code, type KernelCode } from "./wasm.ts";

/** What a kernel works at in one go: as much as keeps its sums in registers. */
export interface Tile {
  /** Outputs; there are `groups` of so many. */
  readonly outputs: number;
  readonly groups: number;
  /** Rows of scores; pairs of columns of sums. */
  readonly rows: number;
  readonly pairs: number;
}

/** Columns that a step of `scoreRows` takes; beyond the last column weights are 0, whatever cells they meet. */
export const stepColumns = 4;

export function tileFor(outputs: number): Tile {
  const groups = Math.ceil(outputs / 5);
  const width = Math.ceil(outputs / groups);
  const rows = [8, 4, 3, 2, 2][width - 1]!;
  return { outputs: width, groups, rows, pairs: rows };
}

/**
 * Scores of rows. Addresses: rows of FP32, their end, weights of FP64 [groups × pairs of columns × outputs × 2], their end, scores. Even and odd columns are
 * added up apart and then together.
 */
export function scoreRows(cols: number, { outputs, groups, rows }: Tile): KernelCode {
  const [x, end, weights, weightsEnd, scores, xAt, weightsAt, scoresAt] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
  const firstPair = 8;
  const [rowBytes, scoreBytes] = [4 * cols, 8 * groups * outputs];
  const sums = rows * outputs;
  const step = [0, 1].flatMap((half) =>
    addProducts({
      firstPair,
      rights: range(rows).map((r) => [...code.get(xAt), ...code.loadPromoted(r * rowBytes + 8 * half)]),
      lefts: range(outputs).map((k) => [...code.get(weightsAt), ...code.loadPair(16 * (half * outputs + k))]),
    }),
  );
  return {
    parameters: 5,
    wholes: 3,
    pairs: sums + heldBy(rows, outputs),
    body: [
      ...code.loop,
      ...[...code.get(weights), ...code.set(weightsAt), ...code.get(scores), ...code.set(scoresAt)],
      ...code.loop,
      ...[...code.get(x), ...code.set(xAt), ...clear(firstPair, sums)],
      ...code.loop,
      ...[...step, ...code.move(xAt, 4 * stepColumns), ...code.move(weightsAt, 32 * outputs)],
      ...[...code.get(xAt), ...code.get(x), ...code.constant(4 * stepColumns * Math.ceil(cols / stepColumns))],
      ...[...code.add, ...code.less, ...code.repeatIf],
      ...code.end,
      ...range(sums).flatMap((n) => [
        ...[...code.get(scoresAt), ...code.get(firstPair + n), ...code.half(0), ...code.get(firstPair + n)],
        ...[...code.half(1), ...code.addNumbers],
        ...code.storeNumber(Math.floor(n / outputs) * scoreBytes + 8 * (n % outputs)),
      ]),
      ...code.move(scoresAt, 8 * outputs),
      ...[...code.get(weightsAt), ...code.get(weightsEnd), ...code.less, ...code.repeatIf],
      ...code.end,
      ...[...code.move(x, rows * rowBytes), ...code.move(scores, rows * scoreBytes)],
      ...[...code.get(x), ...code.get(end), ...code.less, ...code.repeatIf],
      ...code.end,
    ],
  };
}

/**
 * Sums over rows of cells times factors. Addresses: rows of FP32, their end, factors of FP64 [rows × outputs of all groups], sums [tiles of columns × groups ×
 * pairs × outputs × 2], their end.
 */
export function sumColumns(cols: number, { outputs, groups, pairs }: Tile): KernelCode {
  const [x, end, factors, sumsAt, sumsEnd, xAt, factorsAt, group] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
  const firstPair = 8;
  const factorBytes = 8 * groups * outputs;
  const sums = pairs * outputs;
  const row = addProducts({
    firstPair,
    rights: range(pairs).map((p) => [...code.get(xAt), ...code.loadPromoted(8 * p)]),
    lefts: range(outputs).map((k) => [...code.get(factorsAt), ...code.loadSplat(8 * k)]),
  });
  return {
    parameters: 5,
    wholes: 3,
    pairs: sums + heldBy(pairs, outputs),
    body: [
      ...code.loop,
      ...[...code.constant(0), ...code.set(group)],
      ...code.loop,
      ...[...code.get(x), ...code.set(xAt), ...clear(firstPair, sums)],
      ...[...code.get(factors), ...code.get(group), ...code.add, ...code.set(factorsAt)],
      ...code.loop,
      ...[...row, ...code.move(xAt, 4 * cols), ...code.move(factorsAt, factorBytes)],
      ...[...code.get(xAt), ...code.get(end), ...code.less, ...code.repeatIf],
      ...code.end,
      ...range(sums).flatMap((n) => [...[...code.get(sumsAt), ...code.get(firstPair + n), ...code.storePair(16 * n)]]),
      ...[...code.move(sumsAt, 16 * sums), ...code.move(group, 8 * outputs)],
      ...[...code.get(group), ...code.constant(factorBytes), ...code.less, ...code.repeatIf],
      ...code.end,
      ...code.move(x, 8 * pairs),
      ...[...code.get(sumsAt), ...code.get(sumsEnd), ...code.less, ...code.repeatIf],
      ...code.end,
    ],
  };
}

interface Outer {
  /** Locals: the sums [rights × lefts], then what is held. */
  readonly firstPair: number;
  /** Code that loads a pair. */
  readonly rights: readonly number[][];
  readonly lefts: readonly number[][];
}

/** Adds right · left to the sum of each two. The rights are held in locals, or the only left; the others pass by. */
function addProducts({ firstPair, rights, lefts }: Outer): number[] {
  const held = firstPair + rights.length * lefts.length;
  const passing = held + heldRights(rights.length, lefts.length);
  const product = (sum: number, a: number, b: number) => [
    ...[...code.get(firstPair + sum), ...code.get(a), ...code.get(b)],
    ...[...code.multiplyPairs, ...code.addPairs, ...code.set(firstPair + sum)],
  ];
  if (lefts.length === 1) {
    return [
      ...[...lefts[0]!, ...code.set(held)],
      ...rights.flatMap((right, r) => [...right, ...code.set(passing), ...product(r, passing, held)]),
    ];
  }
  return [
    ...rights.flatMap((right, r) => [...right, ...code.set(held + r)]),
    ...lefts.flatMap((left, k) => [
      ...[...left, ...code.set(passing)],
      ...rights.flatMap((_, r) => product(r * lefts.length + k, held + r, passing)),
    ]),
  ];
}

function heldRights(rights: number, lefts: number): number {
  return lefts === 1 ? 1 : rights;
}

/** Locals beside the sums. */
function heldBy(rights: number, lefts: number): number {
  return heldRights(rights, lefts) + 1;
}

function clear(first: number, count: number): number[] {
  return range(count).flatMap((n) => [...code.zeroPair, ...code.set(first + n)]);
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
