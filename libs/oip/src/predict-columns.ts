import { AimassError } from "@aimass/core";
import { formatShape, quoted } from "./datatype.ts";
import type { SignatureView } from "./signature.ts";

/** Names and characters the header has room for. */
const mostNames = 64;
const mostCharacters = 1024;

/** Columns that are no inputs of the model, as many as a header can name. */
export class PassedOver {
  readonly #names = new Set<string>();
  #characters = 0;
  #isWhole = true;

  add(name: string): void {
    if (this.#names.has(name)) return;
    const characters = encoded(name).length + 1;
    this.#isWhole &&= this.#names.size < mostNames && this.#characters + characters <= mostCharacters;
    if (!this.#isWhole) return;
    this.#names.add(name);
    this.#characters += characters;
  }

  /** For a sentence. */
  get names(): string {
    const shown = [...this.#names].slice(0, 3).map(quoted).join(", ");
    return this.#names.size > 3 || !this.#isWhole ? `${shown} and others` : shown;
  }

  /** Percent-encoded UTF-8 names parted by commas; "..." ends a list that is not whole. Undefined when there are none. */
  get header(): string | undefined {
    if (this.#names.size === 0 && this.#isWhole) return undefined;
    return [...[...this.#names].map(encoded), ...(this.#isWhole ? [] : ["..."])].join(",");
  }
}

/** The refusal of a body that is not what the model takes. */
export function mismatch(signature: SignatureView, what: string): AimassError {
  const takes = signature.inputs
    .map((input) => `${input.name} ${input.datatype}${formatShape(input.shape)}`)
    .join(", ");
  return new AimassError("INVALID_ARGUMENT", `The model ${what}.`, {
    reason: "SIGNATURE_MISMATCH",
    remedy: takes === "" ? "It takes no inputs." : `It takes ${takes}.`,
  });
}

function encoded(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}
