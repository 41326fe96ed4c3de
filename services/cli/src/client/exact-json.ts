const wholeNumber = /^-?\d+$/;

/** ECMAScript's JSON.parse source text access, which TypeScript's library does not know yet. */
const json = JSON as typeof JSON & { rawJSON(text: string): object };

/** JSON.parse, with whole numbers beyond ±2^53 as bigints. */
export function parseExact(text: string): unknown {
  return JSON.parse(text, function exact(this: unknown, _key: string, value: unknown, context?: { source?: string }) {
    if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
    const source = context?.source ?? "";
    return wholeNumber.test(source) ? BigInt(source) : value;
  } as (this: unknown, key: string, value: unknown) => unknown);
}

/** JSON.stringify, with bigints as whole numbers. */
export function stringifyExact(value: unknown): string {
  return JSON.stringify(value, (_, item) => (typeof item === "bigint" ? json.rawJSON(String(item)) : item));
}

/** A value whose bigints JSON.stringify writes as whole numbers. */
export function exactly<T>(value: T): T {
  if (typeof value === "bigint") return json.rawJSON(String(value)) as T;
  if (Array.isArray(value)) return value.map(exactly) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, exactly(item)])) as T;
}

/** An element as a person reads it: whole numbers as they came, others with the digits that tell them apart in their data type. */
export function elementText(value: unknown, datatype: string): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "number") return JSON.stringify(value);
  if (Number.isInteger(value) || datatype === "FP64") return String(value);
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return String(short);
  }
  return String(value);
}
