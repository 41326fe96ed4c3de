/** Whatever may stand in an object. */
export type JsonValue = JsonScalar | readonly unknown[] | Readonly<Record<string, unknown>>;

/** Whether a value has a place in a table. */
export function isScalar(value: JsonValue): value is JsonScalar {
  return value === null || typeof value !== "object";
}

/** The numbers of a list, null where there is none; undefined when it is no list of numbers. */
export function numbersOfList(value: JsonValue): readonly (number | null)[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const isNumbers = value.every((one) => one === null || (typeof one === "number" && Number.isFinite(one)));
  return isNumbers ? (value as (number | null)[]) : undefined;
}

/** A value of a flat JSON object. */
export type JsonScalar = string | number | boolean | null;
