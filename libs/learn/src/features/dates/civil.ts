/** A day of the Gregorian calendar, also before it was in use. */
export interface CivilDay {
  readonly year: number;
  /** 1–12. */
  readonly month: number;
  /** 1–31. */
  readonly day: number;
  /** 0 (Monday) to 6. */
  readonly weekday: number;
  /** Days since the first of March, 0–365: the leap day comes last. */
  readonly sinceMarch: number;
}

/** Days in 400 years, after which the calendar repeats itself. */
export const daysPerEra = 146_097;
/** From the first of March of year 0 to 1970-01-01. */
export const daysToEpoch = 719_468;
/** Eras that are added, so that every division is of numbers that are not negative; JavaScript's dates reach no further back. */
export const erasBefore = 700;
/** Days before and after 1970-01-01 that have a date; what is further off counts as the last of them. */
export const mostDays = 100_000_000;

/**
 * The calendar day that is so many days after 1970-01-01, by whole numbers alone (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"): years
 * begin with March, so that the leap day is the last one. The graph of features does the same, step by step.
 */
export function civilOf(days: number): CivilDay {
  const epoch = Math.min(mostDays, Math.max(-mostDays, Math.floor(days)));
  const z = epoch + daysToEpoch + erasBefore * daysPerEra;
  const era = Math.floor(z / daysPerEra);
  const inEra = z - era * daysPerEra;
  const leaps = Math.floor(inEra / 1460) - Math.floor(inEra / 36_524) + Math.floor(inEra / 146_096);
  const yearInEra = Math.floor((inEra - leaps) / 365);
  const before = 365 * yearInEra + Math.floor(yearInEra / 4) - Math.floor(yearInEra / 100);
  const sinceMarch = inEra - before;
  const fromMarch = Math.floor((5 * sinceMarch + 2) / 153);
  const day = sinceMarch - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = yearInEra + (era - erasBefore) * 400 + (month <= 2 ? 1 : 0);
  // 1970-01-01 was a Thursday; 10⁸ and 4 leave the same remainder.
  const weekday = (epoch + mostDays + weekdayOffset) % 7;
  return { year, month, day, weekday, sinceMarch };
}

/** So that day 0 is weekday 3. */
export const weekdayOffset = (((3 - mostDays) % 7) + 7) % 7;
