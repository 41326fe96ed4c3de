import { damaged } from "./damaged.ts";

/** What a table takes of the budget: about what the smallest useful one has in the file. */
const tableBytes = 32;

/**
 * How much is read out of a FlatBuffer in all. Its parts may be shared, and tables by tables that are shared themselves: without a budget, a few bytes are
 * endless tables and texts. What writers of Arrow share, if anything, is far below four times the bytes.
 */
class ReadBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = 4 * bytes + 4096;
  }

  /** Errors: INVALID_ARGUMENT when all was read. */
  take(bytes: number): void {
    this.#left -= bytes;
    if (this.#left >= 0) return;
    throw damaged("its descriptions refer to the same parts again and again");
  }
}

/** A table of a FlatBuffer (https://flatbuffers.dev/internals). Reading past the bytes throws a RangeError; a field that is absent has its default. */
export class FlatTable {
  readonly #view: DataView;
  readonly #at: number;
  readonly #budget: ReadBudget;

  private constructor(view: DataView, at: number, budget: ReadBudget) {
    this.#view = view;
    this.#at = at;
    this.#budget = budget;
    budget.take(tableBytes);
  }

  static root(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, view.getUint32(0, true), new ReadBudget(bytes.byteLength));
  }

  /** Where a field stands; 0 when it is absent. */
  #field(id: number): number {
    const table = this.#at - this.#view.getInt32(this.#at, true);
    const slot = 4 + 2 * id;
    const offset = slot < this.#view.getUint16(table, true) ? this.#view.getUint16(table + slot, true) : 0;
    return offset === 0 ? 0 : this.#at + offset;
  }

  byte(id: number, fallback = 0): number {
    const at = this.#field(id);
    return at === 0 ? fallback : this.#view.getUint8(at);
  }

  short(id: number, fallback = 0): number {
    const at = this.#field(id);
    return at === 0 ? fallback : this.#view.getInt16(at, true);
  }

  int(id: number, fallback = 0): number {
    const at = this.#field(id);
    return at === 0 ? fallback : this.#view.getInt32(at, true);
  }

  long(id: number): number {
    const at = this.#field(id);
    return at === 0 ? 0 : Number(this.#view.getBigInt64(at, true));
  }

  table(id: number): FlatTable | undefined {
    const at = this.#field(id);
    return at === 0 ? undefined : new FlatTable(this.#view, at + this.#view.getUint32(at, true), this.#budget);
  }

  text(id: number): string {
    const { at, length } = this.#vector(id, 1);
    return Buffer.from(this.#view.buffer, this.#view.byteOffset + at, length).toString("utf8");
  }

  tables(id: number): FlatTable[] {
    const { at, length } = this.#vector(id, 4);
    return Array.from({ length }, (_, i) => {
      const place = at + 4 * i;
      return new FlatTable(this.#view, place + this.#view.getUint32(place, true), this.#budget);
    });
  }

  /** A vector of structs of 8-byte words, each as its words. */
  structs(id: number, words: number): number[][] {
    const { at, length } = this.#vector(id, 8 * words);
    return Array.from({ length }, (_, i) =>
      Array.from({ length: words }, (_, word) => Number(this.#view.getBigInt64(at + 8 * (i * words + word), true))),
    );
  }

  #vector(id: number, size: number): { at: number; length: number } {
    const field = this.#field(id);
    if (field === 0) return { at: 0, length: 0 };
    const start = field + this.#view.getUint32(field, true);
    const length = this.#view.getUint32(start, true);
    if (start + 4 + length * size > this.#view.byteLength) throw new RangeError("a vector lies outside");
    this.#budget.take(length * size);
    return { at: start + 4, length };
  }
}
