/** ISO 8601 with as many digits of a second as the moment has. */
export function momentText(value: bigint, unit: bigint): string {
  const rest = ((value % unit) + unit) % unit;
  const seconds = Number((value - rest) / unit);
  const second = isoText(seconds * 1000).slice(0, -5);
  const digits = String(rest)
    .padStart(String(unit).length - 1, "0")
    .replace(/0+$/, "");
  return `${second}${digits === "" ? "" : `.${digits}`}Z`;
}

export function dayText(days: number): string {
  return isoText(days * 86_400_000).slice(0, -14);
}

function isoText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
