interface Lookalike {
  readonly pattern: RegExp;
  readonly problem: string;
  readonly remedy: (text: string) => string;
}

const digitsOf = (text: string) => text.replace(/[^\d.-]/g, "");

/** Ways people write numbers that are not numbers in a data file, each with what to write instead. */
const lookalikes: readonly Lookalike[] = [
  {
    pattern: /^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$/,
    problem: "has thousands separators",
    remedy: (text) => `Write ${digitsOf(text)}.`,
  },
  {
    pattern: /^[+-]?\d{1,3}([ '_\u00a0\u202f]\d{3})+([.,]\d+)?$/,
    problem: "has thousands separators",
    remedy: (text) => `Write ${digitsOf(text.replace(/,(\d+)$/, ".$1"))}.`,
  },
  {
    pattern: /^[+-]?\d{1,3}(\.\d{3})+,\d+$/,
    problem: "has thousands separators and a decimal comma",
    remedy: (text) => `Write ${digitsOf(text.replaceAll(".", "").replace(",", "."))}.`,
  },
  {
    pattern: /^[+-]?\d+,\d+$/,
    problem: "has a decimal comma",
    remedy: (text) => `Write ${text.replace(",", ".")}.`,
  },
  {
    pattern: /^[+-]?[\d.,]+ ?%$/,
    problem: "is a percentage",
    remedy: (text) => `Write ${digitsOf(text)}, without the sign.`,
  },
  {
    pattern: /^([+-]?\p{Sc} ?-?[\d.,]+|[+-]?[\d.,]+ ?\p{Sc})$/u,
    problem: "has a currency sign",
    remedy: (text) => `Write ${digitsOf(text)}.`,
  },
  {
    pattern: /^[+-]?0[xX][\da-fA-F]+$/,
    problem: "is hexadecimal",
    remedy: (text) => `Write ${Number(text.replace(/^[+-]/, ""))}.`,
  },
  {
    // What the parser of numbers did not take although it is written like one.
    pattern: /^[+-]?(\d+\.?\d*|\.\d+)e\+?\d+$/i,
    problem: "is too large for a 64-bit float",
    remedy: () => "Write numbers between -1.7e308 and 1.7e308, or leave the cell empty.",
  },
  {
    pattern: /^[+-]?(inf|infinity|∞)$/i,
    problem: "is infinite, which no model can be trained on",
    remedy: () => "Write a finite number, or leave the cell empty.",
  },
];

/** What is wrong with a text that is meant as a number, and what to write; undefined when it is not meant as one. */
export function numberLookalike(text: string): { readonly problem: string; readonly remedy: string } | undefined {
  const trimmed = text.trim();
  if (trimmed.length > 40) return undefined;
  const found = lookalikes.find(({ pattern }) => pattern.test(trimmed));
  return found === undefined ? undefined : { problem: found.problem, remedy: found.remedy(trimmed) };
}
