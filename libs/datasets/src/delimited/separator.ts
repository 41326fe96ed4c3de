import type { TextFile } from "../byte-source.ts";
import { beginningOf } from "../text-file.ts";

/** Excel's first line that names what stands between cells; it is no row. */
export const separatorLine = /^"?sep=([^\r\n"])"?(?:\r?\n|$)/;

const lookedAt = 64 * 1024;
const candidates = [",", ";", "\t", "|"] as const;
const rowsLookedAt = 20;

export interface Separator {
  readonly delimiter: string;
  /** What to tell a person, when it was guessed. */
  readonly note?: string;
}

/** What stands between the cells of a file: what its first line says, or what divides the header and the first rows alike; `usual` unless it does not. */
export async function findSeparator(
  file: TextFile,
  { usual, signal }: { usual: string; signal: AbortSignal | undefined },
): Promise<Separator> {
  const { text, isWhole } = await beginningOf(file, lookedAt, signal);
  const said = separatorLine.exec(text)?.[1];
  if (said !== undefined) return { delimiter: said };
  const lines = text.split(/\r?\n/).filter((line) => line !== "");
  const whole = (isWhole ? lines : lines.slice(0, -1)).slice(0, rowsLookedAt);
  if (cells(whole[0] ?? "", usual) > 1) return { delimiter: usual };
  const found = candidates
    .map((delimiter) => ({ delimiter, columns: columnsBy(delimiter, whole) }))
    .filter(({ columns }) => columns > 1)
    .sort((a, b) => b.columns - a.columns)[0];
  if (found === undefined) return { delimiter: usual };
  const shown = JSON.stringify(found.delimiter);
  const note = `The cells are taken to be separated by ${shown}: so the header and the first rows have ${found.columns} cells each. If they are not, say what is: --delimiter ',' (in the API: read.delimiter).`;
  return { delimiter: found.delimiter, note };
}

/** How many cells every line has; 0 when they differ. */
function columnsBy(delimiter: string, lines: readonly string[]): number {
  const counts = new Set(lines.map((line) => cells(line, delimiter)));
  return counts.size === 1 ? ([...counts][0] as number) : 0;
}

/** Cells of a line; a delimiter in quotes divides none. */
function cells(line: string, delimiter: string): number {
  let count = 1;
  let quoted = false;
  for (const sign of line) {
    if (sign === '"') quoted = !quoted;
    else if (sign === delimiter && !quoted) count++;
  }
  return count;
}
