/** A day, a moment or a time of day that no calendar or clock has, such as the infinities of some databases. */
export class OffCalendar extends Error {
  readonly remedy: string;

  constructor(problem: string, remedy: string) {
    super(problem);
    this.remedy = remedy;
  }
}

/** ISO 8601 with as many digits of a second as the moment has. Errors: OffCalendar. */
export function momentText(value: bigint, unit: bigint): string {
  const rest = ((value % unit) + unit) % unit;
  const seconds = Number((value - rest) / unit);
  const second = isoText(seconds * 1000, value).slice(0, -5);
  return `${second}${fraction(rest, unit)}Z`;
}

/** A time of day of ISO 8601, "14:22:00.5", with as many digits of a second as it has. Errors: OffCalendar. */
export function timeText(value: bigint, unit: bigint): string {
  const seconds = value / unit;
  if (value < 0n || value > 86_400n * unit) {
    throw new OffCalendar(
      `the time of day ${value} / ${unit} s is not one of the 24 hours of a day`,
      "Write a time from 00:00:00 to 24:00:00, or null; a duration as a number of seconds.",
    );
  }
  const parts = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n];
  return `${parts.map((part) => String(part).padStart(2, "0")).join(":")}${fraction(value % unit, unit)}`;
}

function fraction(rest: bigint, unit: bigint): string {
  const digits = String(rest)
    .padStart(String(unit).length - 1, "0")
    .replace(/0+$/, "");
  return digits === "" ? "" : `.${digits}`;
}

/** Errors: OffCalendar. */
export function dayText(days: number): string {
  return isoText(days * 86_400_000, days).slice(0, -14);
}

function isoText(milliseconds: number, value: bigint | number): string {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) {
    throw new OffCalendar(
      `the date ${value} lies outside the calendar`,
      "Write a date before the year 275760, or null.",
    );
  }
  return date.toISOString();
}
