import { ByteSource, type TextFile } from "./byte-source.ts";
import { badFile } from "./cells/bad-cell.ts";
import { refuseJson, refuseOtherFormats } from "./other-formats.ts";
import { seekingFormat } from "./seeking-format.ts";

const lf = 0x0a;

/** About the first `length` bytes of a text file, and these as text without byte order mark. Refuses, by their names, formats that are no table. */
export async function beginningOf(
  file: TextFile,
  length: number,
  signal: AbortSignal | undefined,
): Promise<{ readonly text: string; readonly isWhole: boolean }> {
  const source = new ByteSource(file);
  try {
    const bytes = await source.read(length, signal);
    refuseOtherFormats(bytes);
    return { text: bytes.toString("utf8").replace(/^\ufeff/, ""), isWhole: source.ended };
  } finally {
    source.close();
  }
}

/** Refuses, by what they are, files that are no text, from their first bytes. */
export function refuseNoText(bytes: Uint8Array): void {
  refuseOtherFormats(bytes);
  const format = seekingFormat(bytes);
  if (format === "image-zip")
    throw badFile("The file is a ZIP archive or a spreadsheet, not text.", "Leave its format out, or unpack it.");
  if (format === "parquet") throw badFile("The file is Parquet, not text.", "Name its format parquet.");
}

/** Length of a UTF-8 byte order mark at the start of a file; refuses files of other kinds. */
export function skipByteOrderMark(bytes: Uint8Array): number {
  const [first, second, third] = bytes;
  refuseNoText(bytes);
  refuseJson(bytes);
  return first === 0xef && second === 0xbb && third === 0xbf ? 3 : 0;
}

/** Where the last whole line of `bytes` from `position` on ends; `position` when there is none. */
export function endOfLines(bytes: Buffer, position: number, atEnd: boolean): number {
  if (atEnd) return bytes.length;
  const last = bytes.lastIndexOf(lf);
  return last < position ? position : last + 1;
}
