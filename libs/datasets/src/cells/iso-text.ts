/** A day or a moment that no calendar has, such as the infinities of some databases. */
export class OffCalendar extends Error {
  readonly remedy = "Write a date before the year 275760, or null.";

  constructor(value: bigint | number) {
    super(`the date ${value} lies outside the calendar`);
  }
}

/** ISO 8601 with as many digits of a second as the moment has. Errors: OffCalendar. */
export function momentText(value: bigint, unit: bigint): string {
  const rest = ((value % unit) + unit) % unit;
  const seconds = Number((value - rest) / unit);
  const second = isoText(seconds * 1000, value).slice(0, -5);
  const digits = String(rest)
    .padStart(String(unit).length - 1, "0")
    .replace(/0+$/, "");
  return `${second}${digits === "" ? "" : `.${digits}`}Z`;
}

/** Errors: OffCalendar. */
export function dayText(days: number): string {
  return isoText(days * 86_400_000, days).slice(0, -14);
}

function isoText(milliseconds: number, value: bigint | number): string {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) throw new OffCalendar(value);
  return date.toISOString();
}
