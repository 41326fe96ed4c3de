const date = /^\d{4}-\d{2}-\d{2}$/;
const datetime = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$/;
const offset = /(Z|[+-]\d{2}:?\d{2})$/;

/** Whether a text is an ISO 8601 day or moment. */
export function dateKind(text: string): "date" | "datetime" | undefined {
  if (text.length < 10 || text.length > 40 || Number.isNaN(timeOfIso(text))) return undefined;
  return date.test(text) ? "date" : "datetime";
}

/** Milliseconds since 1970 of an ISO 8601 text; UTC when it names no offset; NaN when it is none. */
export function timeOfIso(text: string): number {
  if (date.test(text)) return isDay(text) ? Date.parse(text) : Number.NaN;
  if (!datetime.test(text) || !isDay(text.slice(0, 10))) return Number.NaN;
  const iso = text.replace(" ", "T");
  return Date.parse(offset.test(iso.slice(11)) ? iso : `${iso}Z`);
}

/** Whether a calendar has a day that is written as YYYY-MM-DD: Date.parse takes 2025-02-30 for the second of March. */
export function isDay(text: string): boolean {
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === text;
}
