/** Excel's first line that names what stands between cells; it is no row. */
export const separatorLine = /^"?sep=([^\r\n"])"?(?:\r?\n|$)/u;

/** Whether cells can be separated by it: one ASCII character, which is one byte, and no quote. */
export function isSeparator(sign: string): boolean {
  return /^[\t -~]$/.test(sign) && sign !== '"';
}

const candidates = [",", ";", "\t", "|"] as const;
const rowsLookedAt = 20;

export interface FoundSeparator {
  /** Where the first line says it, whatever stands there: see `isSeparator`. */
  readonly separator: string;
  /** said: by its first line; usual: by the header, or as nothing else divides it; guessed: what divides the header and the first rows alike. */
  readonly by: "said" | "usual" | "guessed";
  /** Cells of the header; 1 where its first line says the separator. */
  readonly columns: number;
}

/**
 * What stands between the cells of delimited text, by its beginning: what its first line says, or what divides the header and the first rows alike; `usual`
 * unless it does not. A separator within quotes divides nothing. `isWhole`: nothing follows, so that the last line is one.
 */
export function findSeparator(text: string, usual: string, isWhole: boolean): FoundSeparator {
  const said = separatorLine.exec(text)?.[1];
  if (said !== undefined) return { separator: said, by: "said", columns: 1 };
  const records = firstRecords(text, isWhole);
  const header = cellsOf(records[0] ?? "", usual);
  if (header > 1) return { separator: usual, by: "usual", columns: header };
  const [found] = candidates
    .map((separator) => ({ separator, columns: columnsBy(separator, records) }))
    .filter(({ columns }) => columns > 1)
    .sort((a, b) => b.columns - a.columns);
  return found === undefined ? { separator: usual, by: "usual", columns: 1 } : { ...found, by: "guessed" };
}

/** The first lines that are not empty; a line break within quotes ends none. */
function firstRecords(text: string, isWhole: boolean): string[] {
  const records: string[] = [];
  let quoted = false;
  let start = 0;
  for (let at = 0; at < text.length && records.length < rowsLookedAt; at++) {
    const sign = text[at];
    if (sign === '"') quoted = !quoted;
    else if (!quoted && (sign === "\n" || sign === "\r")) {
      if (at > start) records.push(text.slice(start, at));
      start = at + 1;
    }
  }
  if (isWhole && records.length < rowsLookedAt && start < text.length) records.push(text.slice(start));
  return records;
}

/** How many cells every record has; 0 when they differ. */
function columnsBy(separator: string, records: readonly string[]): number {
  const counts = new Set(records.map((record) => cellsOf(record, separator)));
  return counts.size === 1 ? ([...counts][0] as number) : 0;
}

function cellsOf(record: string, separator: string): number {
  let count = 1;
  let quoted = false;
  for (const sign of record) {
    if (sign === '"') quoted = !quoted;
    else if (sign === separator && !quoted) count++;
  }
  return count;
}
