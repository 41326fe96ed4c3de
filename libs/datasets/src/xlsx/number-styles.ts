/** What a number of a cell stands for. */
export type NumberStyle = "number" | "date" | "time";

/** What Excel's built-in formats are; the others are numbers. */
const builtIn: Readonly<Record<number, NumberStyle>> = Object.fromEntries([
  ...[14, 15, 16, 17, 22, 27, 28, 29, 30, 31, 34, 35, 36, 50, 51, 52, 53, 54, 55, 56, 57, 58].map((id) => [id, "date"]),
  ...[18, 19, 20, 21, 32, 33, 45, 47].map((id) => [id, "time"]),
]);

/** Whether a format code (ECMA-376, 18.8.31) shows days or times of day. Elapsed hours, "[h]", are numbers. */
export function styleOf(id: number, code: string | undefined): NumberStyle {
  if (code === undefined) return builtIn[id] ?? "number";
  const letters = code.replace(/"[^"]*"|\\.|_.|\*./g, "").split(";")[0] ?? "";
  if (/\[(?:h+|m+|s+)\]/i.test(letters)) return "number";
  const bare = letters.replace(/\[[^\]]*\]|general|AM\/PM|A\/P/gi, "");
  if (/[yd]/i.test(bare)) return "date";
  if (/[hs]/i.test(bare)) return "time";
  return /m/i.test(bare) ? "date" : "number";
}

const msPerDay = 86_400_000;
const lastSerial = 2_958_465;

/** A number of days as ISO 8601; as it stands when no calendar has it. `from1904`: days are counted from 1904 on, and not from 1900. */
export function serialText(written: string, style: "date" | "time", from1904: boolean): string {
  const serial = Number(written);
  if (!(serial >= 0 && serial <= lastSerial)) return written;
  const ms = Math.round(serial * msPerDay);
  if (style === "time") return serial < 1 ? timeText(ms) : written;
  // Excel counts a 29 February 1900, which never was.
  const base = from1904 ? Date.UTC(1904, 0, 1) : Date.UTC(1899, 11, serial < 60 ? 31 : 30);
  const [day = "", time = ""] = new Date(base + ms).toISOString().split("T");
  return ms % msPerDay === 0 ? day : `${day}T${shortened(time)}`;
}

function timeText(ms: number): string {
  return shortened(new Date(ms).toISOString().slice(11));
}

function shortened(time: string): string {
  return time.replace(/(?:\.000)?Z$/, "");
}
