import { defaultMissing } from "../schema.ts";
import { type BadCell, badCell, keepAsText } from "./bad-cell.ts";
import { numberLookalike } from "./lookalike.ts";
import { beyondExact } from "./lost-digits.ts";
import { NumberParser } from "./number-parser.ts";

/** Which texts mean "no value". */
export class MissingTokens {
  readonly #texts: ReadonlySet<string>;
  readonly #own: ReadonlySet<string>;
  readonly #numbers: ReadonlySet<number>;
  readonly #longest: number;
  /** Whether the empty cell does. */
  readonly empty: boolean;
  /** Whether some of them are numbers, such as "-999". */
  readonly numeric: boolean;

  /** `own`: those of one column, around which white space does not count. */
  constructor(tokens: readonly string[] = defaultMissing, own: readonly string[] = []) {
    this.#texts = new Set(tokens);
    this.#own = new Set(own);
    this.#numbers = new Set(
      tokens
        .filter((token) => token.trim() !== "")
        .map(Number)
        .filter(Number.isFinite),
    );
    this.#longest = Math.max(0, ...tokens.map((token) => token.length));
    this.empty = this.#texts.has("");
    this.numeric = this.#numbers.size > 0;
  }

  has(text: string): boolean {
    if (text.length <= this.#longest && this.#texts.has(text)) return true;
    return this.#own.size > 0 && this.#own.has(text.trim());
  }

  hasNumber(value: number): boolean {
    return this.#numbers.has(value);
  }

  /** For values that have a type of their own. */
  hasScalar(value: string | number | boolean): boolean {
    if (typeof value === "string") return this.has(value);
    return typeof value === "number" && this.hasNumber(value);
  }
}

/** Where a cell stands, for its refusal. */
export type CellPlace = Pick<BadCell, "row" | "line" | "column">;

/** Words of a boolean column beside 1 and 0; case and white space around them do not count. */
export const booleanWords: { readonly true: readonly string[]; readonly false: readonly string[] } = {
  true: ["true", "yes"],
  false: ["false", "no"],
};

const booleans: ReadonlyMap<string, number> = new Map([
  ...[...booleanWords.true, "1"].map((word) => [word, 1] as const),
  ...[...booleanWords.false, "0"].map((word) => [word, 0] as const),
]);

/** 1 or 0 for a text in a column declared boolean; undefined when it is neither. */
export function booleanOf(text: string): number | undefined {
  return booleans.get(text.trim().toLowerCase());
}

/** The refusal of a number that would become its neighbour in a number column. */
export function notExact(place: CellPlace, value: string): Error {
  return badCell({ ...place, value, problem: beyondExact(value), remedy: keepAsText(place.column) });
}

/** The refusal of a number such as 1e999. */
export function outOfRange(place: CellPlace, value: string): Error {
  const remedy = "Write numbers between -1.7e308 and 1.7e308, or null.";
  return badCell({ ...place, value, problem: "is too large for a 64-bit float", remedy });
}

/** The number a text is; undefined when it is none. */
export function numberOf(text: string): number | undefined {
  const bytes = Buffer.from(text);
  const parser = new NumberParser();
  return parser.parse(bytes, 0, bytes.length) ? parser.value : undefined;
}

/** The refusal of a text in a number column. */
export function notANumber(place: CellPlace, value: string): Error {
  const lookalike = numberLookalike(value);
  return badCell({
    ...place,
    value,
    problem: lookalike === undefined ? "is not a number" : `is not a number: it ${lookalike.problem}`,
    remedy: lookalike?.remedy ?? "Write digits with a point, such as -1234.5, or leave the cell empty.",
  });
}

/** The refusal of a text in a boolean column. */
export function notABoolean(place: CellPlace, value: string): Error {
  return badCell({ ...place, value, problem: "is neither true nor false", remedy: "Write true or false." });
}
