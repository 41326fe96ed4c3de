/** How texts become tokens and counts become weights. */
export interface TextSettings {
  readonly column: string;
  readonly analyzer: "words" | "characters";
  readonly accents: "keep" | "strip";
  readonly minWordLength: number;
  readonly sublinear: boolean;
  readonly norm: "l2" | "none";
}

/** A fitted block of a text: plain JSON. */
export interface TextState extends TextSettings {
  /** Tokens of each term, the shorter terms first. */
  readonly terms: readonly (readonly string[])[];
  /** Weight of each term, FP32. */
  readonly weights: readonly number[];
}
