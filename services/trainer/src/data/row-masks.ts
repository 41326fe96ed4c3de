import { readFile } from "node:fs/promises";
import { partNames, unassigned } from "@aimass/datasets";
import { type RowSelection, slicesOf } from "./row-selection.ts";

/** Says of every row of a file whether it belongs to a selection. The last one asked for is kept. */
export class RowMasks {
  readonly #parts: Uint8Array;
  readonly #seed: number;
  readonly #slices = new Map<string, Uint8Array>();
  #last: { readonly key: string; readonly mask: Uint8Array } | undefined;

  /** `parts`: the part of every row, or 255. */
  constructor(parts: Uint8Array, seed: number) {
    this.#parts = parts;
    this.#seed = seed;
  }

  get rows(): number {
    return this.#parts.length;
  }

  get parts(): Uint8Array {
    return this.#parts;
  }

  async count(selection: RowSelection, share: number): Promise<number> {
    return (await this.of(selection, share)).reduce((sum, one) => sum + one, 0);
  }

  /** 1 for each row that belongs. */
  async of(selection: RowSelection, share: number): Promise<Uint8Array> {
    if ("mask" in selection) return selection.mask.map((one, row) => one & Number(this.#isIn(row, share)));
    const key = JSON.stringify([selection, share]);
    if (this.#last?.key === key) return this.#last.mask;
    const mask = await this.#make(selection, share);
    this.#last = { key, mask };
    return mask;
  }

  async #make(selection: Exclude<RowSelection, { mask: Uint8Array }>, share: number): Promise<Uint8Array> {
    if ("part" in selection) {
      const code = partNames.indexOf(selection.part);
      return this.#parts.map((part, row) => Number(part === code && this.#isIn(row, share)));
    }
    const belongs = slicesOf(selection);
    const slices = await this.#slicesOf(selection.of.path);
    return slices.map((slice, row) => Number(slice !== unassigned && belongs(slice) && this.#isIn(row, share)));
  }

  /** Whether a row is in the first share of an order by hash. */
  #isIn(row: number, share: number): boolean {
    return share >= 1 || mixed(row, this.#seed) < share * 2 ** 32;
  }

  async #slicesOf(path: string): Promise<Uint8Array> {
    let slices = this.#slices.get(path);
    if (slices === undefined) {
      slices = new Uint8Array(await readFile(path));
      this.#slices.set(path, slices);
    }
    return slices;
  }
}

/** 32 bits of a row's number and the seed (the finaliser of MurmurHash3). */
function mixed(row: number, seed: number): number {
  let h = (row ^ seed ^ Math.floor(seed / 2 ** 32)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
