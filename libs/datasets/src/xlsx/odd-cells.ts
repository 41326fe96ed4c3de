/** Cells of one kind: how many there are, and the first. */
export class OddCells {
  #count = 0;
  #first = "";

  add(what: string): void {
    if (this.#count++ === 0) this.#first = what;
  }

  notes(sentence: (cells: string, first: string) => string): string[] {
    if (this.#count === 0) return [];
    return [sentence(`The sheet has ${this.#count} ${this.#count === 1 ? "cell" : "cells"}`, this.#first)];
  }
}
