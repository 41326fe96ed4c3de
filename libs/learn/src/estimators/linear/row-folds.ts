import type { Matrix } from "../../matrix.ts";
import type { Random } from "../../random.ts";
import type { ClassTargets } from "../../targets.ts";
import type { RowPasses } from "../row-passes.ts";

/**
 * Of each row its fold, from 0, in an order that the random numbers decide. Where most rows differ, rows that are alike are in one fold, so that none is told from its
 * twin and a row of weight 2 is like two rows. Where few differ, as in tables of a few categories, twins are what the rows are like that will be predicted: every
 * fold gets equally many rows of each class. Reads all rows once.
 */
export async function foldsOf(passes: RowPasses<ClassTargets>, folds: number, random: Random): Promise<Uint8Array> {
  const dealt = new Uint8Array(passes.rows);
  const contents = new Uint32Array(passes.rows);
  const dealer = new Dealer(passes.labels.values.length, folds, random.fork(0));
  const seed = random.fork(1).uint32();
  let row = 0;
  for await (const { x, y } of passes.pass()) {
    for (let r = 0; r < x.rows; r++, row++) {
      dealt[row] = dealer.deal(y.indices[r]!);
      contents[row] = contentOf(x, r, seed ^ y.indices[r]!);
    }
  }
  return 2 * different(contents) > contents.length ? Uint8Array.from(contents, (content) => content % folds) : dealt;
}

/** Deals rows of each class to the folds in turns, each turn in another order. */
class Dealer {
  readonly #decks: readonly Int32Array[];
  readonly #dealt: Int32Array;
  readonly #random: Random;

  constructor(classes: number, folds: number, random: Random) {
    this.#decks = Array.from({ length: classes }, () => Int32Array.from({ length: folds }, (_, fold) => fold));
    this.#dealt = new Int32Array(classes);
    this.#random = random;
  }

  deal(index: number): number {
    const deck = this.#decks[index]!;
    const at = this.#dealt[index]!++ % deck.length;
    if (at === 0) this.#random.shuffle(deck);
    return deck[at]!;
  }
}

function different(contents: Uint32Array): number {
  const sorted = contents.slice().sort();
  return sorted.reduce((count, value, i) => count + Number(i === 0 || value !== sorted[i - 1]), 0);
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** 32 bits of a row's cells that are not 0 (steps and finaliser of MurmurHash3). */
function contentOf(x: Matrix, row: number, seed: number): number {
  let h = seed;
  const add = (column: number, value: number) => {
    float[0] = value;
    const k = Math.imul(bits[0]! ^ Math.imul(column + 1, 0x9e37_79b1), 0xcc9e_2d51);
    h = Math.imul(h ^ ((k << 15) | (k >>> 17)), 5) + 0xe654_6b64;
    h = (h << 13) | (h >>> 19);
  };
  if (x.kind === "sparse") {
    for (let i = x.offsets[row]!; i < x.offsets[row + 1]!; i++) if (x.values[i] !== 0) add(x.columns[i]!, x.values[i]!);
  } else {
    for (let j = 0; j < x.cols; j++) if (x.data[row * x.cols + j] !== 0) add(j, x.data[row * x.cols + j]!);
  }
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
