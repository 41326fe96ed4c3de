/** How numbers are written where it is not with a point alone. */
export interface NumberFormat {
  /** What stands before the decimals; a point when undefined. */
  readonly decimal?: string | undefined;
  /** What stands between groups of three digits; a space stands for those that do not break. Nothing when undefined. */
  readonly thousands?: string | undefined;
}

/** A number as programs write it; undefined when the text is not written so. */
export function plainNumber(text: string, { decimal = ".", thousands }: NumberFormat): string | undefined {
  let plain = text.trim();
  if (thousands !== undefined) {
    const sign = thousands === " " ? "[ \\u00a0\\u202f\\u2009]" : thousands === "." ? "\\." : thousands;
    const groups = new RegExp(`^([+-]?\\d{1,3})((?:${sign}\\d{3})+)(?!\\d)`, "u").exec(plain);
    if (groups !== null) plain = groups[1] + (groups[2] as string).replace(/\D/g, "") + plain.slice(groups[0].length);
  }
  if (decimal === ".") return plain;
  return plain.includes(".") ? undefined : plain.replace(decimal, ".");
}

/** Whether numbers are written as programs write them. */
export function isPlainFormat({ decimal = ".", thousands }: NumberFormat): boolean {
  return decimal === "." && thousands === undefined;
}
