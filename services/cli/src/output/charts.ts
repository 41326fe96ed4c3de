import { plainLine } from "./plain-text.ts";

/** A bar of eighths of a character, for a share of 0 to 1; a hair for what is a thousandth or more. */
export function bar(share: number, width = 24): string {
  const bounded = Number.isFinite(share) ? Math.min(Math.max(share, 0), 1) : 0;
  const eighths = Math.max(Math.round(bounded * width * 8), bounded >= 0.001 ? 1 : 0);
  return "█".repeat(Math.floor(eighths / 8)) + (partial[eighths % 8] as string);
}

const partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** Lines of columns with a header: numbers to the right, words to the left, bars at the end. */
export function numberTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [header, ...rows].map((row) => row.map(plainLine));
  const widths = header.map((_, i) => Math.max(...all.map((row) => textWidth(row[i] ?? ""))));
  const isNumber = header.map((_, i) =>
    all.slice(1).every((row) => /^([-+≈]?[\d.,]+(e[-+]?\d+)?( %)?|-|)$/.test(row[i] ?? "")),
  );
  return all.map((row) =>
    row
      .map((cell, i) => {
        const space = " ".repeat((widths[i] as number) - textWidth(cell));
        return isNumber[i] ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd(),
  );
}

/** How many columns of a terminal a text takes: East Asian characters and emoji take two. */
function textWidth(text: string): number {
  return [...text].reduce((sum, character) => sum + (wide.test(character) ? 2 : 1), 0);
}

const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u;

/** A measured number: six significant digits, and every digit before the point. */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "-";
  const whole = Math.abs(value) < 1 ? 0 : Math.floor(Math.log10(Math.abs(value))) + 1;
  return String(whole > 17 ? value : Number(value.toPrecision(Math.min(17, Math.max(6, whole)))));
}

/** Four significant digits, of figures that are to be compared. */
export function short(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "-";
  return String(Number(value.toPrecision(4)));
}

/** "93.1 %". */
export function percent(share: number | undefined): string {
  return share === undefined || !Number.isFinite(share) ? "-" : `${(share * 100).toFixed(1)} %`;
}
