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

/** A sign that numbers cannot be read by. */
export interface SignProblem {
  readonly sign: "decimal" | "thousands";
  readonly message: string;
  readonly remedy: string;
}

/** What is wrong with the signs that somebody chose, where "" is the usual one; undefined where numbers can be read by them. */
export function signProblem({ decimal = "", thousands = "" }: NumberFormat): SignProblem | undefined {
  if (!["", ".", ","].includes(decimal)) {
    const message = `"${decimal.slice(0, 20)}" cannot stand before decimals.`;
    return { sign: "decimal", message, remedy: "Use a point or a comma." };
  }
  if (thousands === "" || (/^[,.' _]$/.test(thousands) && thousands !== (decimal || "."))) return undefined;
  const message = `"${thousands.slice(0, 20)}" cannot stand between groups of digits.`;
  const remedy = "Use a comma, a point, an apostrophe, a space or an underscore, and not what stands before decimals.";
  return { sign: "thousands", message, remedy };
}
