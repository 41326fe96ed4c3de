import { type Limits, overLimit } from "../limits.ts";

/** The text of a cell whose letters may differ in looks; what says how it is pronounced is none of it. */
export class RichText {
  readonly #limits: Limits;
  #pieces = "";
  #isText = false;
  #isPronounced = false;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  begin(): void {
    this.#pieces = "";
    this.#isText = false;
    this.#isPronounced = false;
  }

  open(name: string): void {
    if (name === "rPh") this.#isPronounced = true;
    else if (name === "t") this.#isText = !this.#isPronounced;
  }

  close(name: string): void {
    if (name === "rPh") this.#isPronounced = false;
    else if (name === "t") this.#isText = false;
  }

  /** Errors: INVALID_ARGUMENT, DATASET_LIMIT. */
  add(text: string): void {
    if (this.#isText) this.#pieces = joined(this.#pieces, text, this.#limits);
  }

  /** Characters that XML cannot hold are written as _x000D_. */
  get text(): string {
    return this.#pieces.replace(/_x([0-9a-f]{4})_/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  }
}

/** A text that comes in pieces. Errors: INVALID_ARGUMENT, DATASET_LIMIT for one that is longer than a cell may be. */
export function joined(before: string, piece: string, limits: Limits): string {
  const length = before.length + piece.length;
  if (length > limits.cellBytes)
    throw overLimit("cellBytes", limits, `A text of the workbook has at least ${length.toLocaleString("en")} letters`);
  return before + piece;
}
