import { findSeparator, isSeparator } from "@aimass/core";
import type { TextFile } from "../byte-source.ts";
import { badFile } from "../cells/bad-cell.ts";
import { beginningOf } from "../text-file.ts";

const lookedAt = 64 * 1024;

export interface Separator {
  readonly delimiter: string;
  /** What to tell a person, when it was guessed. */
  readonly note?: string;
}

/** What stands between the cells of a file, by its beginning; `usual` unless it does not. Errors: INVALID_ARGUMENT. */
export async function separatorOf(
  file: TextFile,
  { usual, signal }: { usual: string; signal: AbortSignal | undefined },
): Promise<Separator> {
  const { text, isWhole } = await beginningOf(file, lookedAt, signal);
  const { separator: delimiter, by, columns } = findSeparator(text, usual, isWhole);
  if (!isSeparator(delimiter)) {
    throw badFile(
      `The first line of the file says that ${JSON.stringify(delimiter)} stands between cells.`,
      "Save it with one ASCII character between them, such as a comma, a semicolon or a tab.",
    );
  }
  if (by !== "guessed") return { delimiter };
  const shown = JSON.stringify(delimiter);
  const note = `The cells are taken to be separated by ${shown}: so the header and the first rows have ${columns} cells each. If they are not, say what is: --delimiter ',' (in the API: read.delimiter).`;
  return { delimiter, note };
}
