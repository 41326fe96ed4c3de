import { AimassError, type DatePattern, readDate } from "@aimass/core";
import { inShell, keepAsText } from "../cells/bad-cell.ts";
import { quote } from "../schema.ts";
import type { ColumnProfile } from "./column-profile.ts";
import type { DateReading, DatesGiven } from "./date-writing.ts";

/** What a person should know of how a column's days were read, or why they were not. Errors: INVALID_ARGUMENT where they are not as declared. */
export function dateWarnings(
  { name, type, count, missing }: Pick<ColumnProfile, "name" | "type" | "count" | "missing">,
  reading: DateReading,
  given: DatesGiven,
): string[] {
  const column = `Column ${quote(name)}`;
  if (given === "text") {
    const holdsDates = type === "string" && reading.kind === "read";
    return holdsDates ? [`${column} is text, as it is declared. ${readAsDates(name, reading.pattern.order)}`] : [];
  }
  if (given !== "unknown" && reading.kind !== "read" && count > 0) throw notAsDeclared(name, given, reading);
  switch (reading.kind) {
    case "none":
      return [];
    case "read": {
      if (reading.invalid === 0) return [];
      const { pattern, invalid, firstInvalid = "" } = reading;
      const said = `${quote(firstInvalid)} in ${invalid} of ${count + missing} rows`;
      const what = invalid === 1 ? said : `values such as ${said}`;
      return [
        `${column} is read as dates (${pattern.name}): ${what} ${invalid === 1 ? "is" : "are"} no day and count${invalid === 1 ? "s" : ""} as missing. ${keepAsText(name)}`,
      ];
    }
    case "ambiguous": {
      const readings = reading.patterns.map((pattern) => `${isoOrNone(reading.example, pattern)} (${pattern.order})`);
      const remedies = reading.patterns.map(({ order }) => `--type ${inShell(`${name}=date:${order}`)}`);
      return [
        `${column} is not read as dates: ${quote(reading.example)} may be ${readings.join(" or ")}, and no value decides it. Say which: ${remedies.join(" or ")} (in the API: read.dates).`,
      ];
    }
    case "mixed":
      return [
        `${column} is not read as dates: they are written in different ways, such as ${reading.examples.map(quote).join(" and ")}. Write all in one way, best as 2024-01-31.`,
      ];
    case "spoilt":
      return [
        `${column} is not read as dates (${reading.pattern.name}) because of ${reading.others} of ${count} values that are no days; the first is ${quote(reading.example)}. If it means "no value", say so: --missing ${inShell(reading.example)} (in the API: read.missing).`,
      ];
  }
}

/** How to have a column as dates. */
export function readAsDates(column: string, order: DatePattern["order"]): string {
  return `To read it as dates, declare it so: --type ${inShell(`${column}=date:${order}`)} (in the API: read.dates).`;
}

function isoOrNone(text: string, pattern: DatePattern): string {
  return readDate(text, pattern)?.iso ?? "no day";
}

function notAsDeclared(name: string, order: string, reading: DateReading): AimassError {
  const why =
    reading.kind === "mixed"
      ? `they are written in different ways, such as ${reading.examples.map(quote).join(" and ")}`
      : reading.kind === "spoilt"
        ? `${reading.others} of its values are no days, the first of them ${quote(reading.example)}`
        : "its values are not written so";
  return new AimassError(
    "INVALID_ARGUMENT",
    `Column ${quote(name)} cannot be read as dates in the order ${order}: ${why}.`,
    {
      reason: "BAD_CELL",
      field: "read.dates",
      remedy: "Declare the order that the file has (DMY, MDY or YMD), or leave it out for dates of ISO 8601.",
    },
  );
}
