import { badCell } from "../cells/bad-cell.ts";
import { OffCalendar } from "../cells/iso-text.ts";
import { type Limits, overLimit } from "../limits.ts";
import { readable } from "./arrow-file.ts";
import type { Texts } from "./utf8-texts.ts";

interface BatchRows {
  readonly rows: number;
  /** Rows of the file before this batch. */
  readonly firstRow: number;
  readonly limits: Limits;
}

/** The rows of a batch as JSON Lines. Rows may be far longer than what is in the file, as they repeat the texts of dictionaries: each is measured while it is made. */
export function* rowLines(columns: readonly (readonly [string, Texts])[], batch: BatchRows): Generator<string, void> {
  const named = columns.map(([name, texts]) => ({ name, member: JSON.stringify(name), texts }));
  for (let row = 0; row < batch.rows; row++) yield readable("a value", () => lineOf(named, row, batch));
}

interface NamedTexts {
  readonly name: string;
  /** The name as JSON. */
  readonly member: string;
  readonly texts: Texts;
}

function lineOf(columns: readonly NamedTexts[], at: number, { firstRow, limits }: BatchRows): string {
  const row = firstRow + at + 1;
  const members: string[] = [];
  let letters = 0;
  for (const { name, member, texts } of columns) {
    const text = `${member}:${cellOf(texts, at, name, row)}`;
    letters += text.length;
    if (letters > limits.rowBytes)
      throw overLimit("rowBytes", limits, `Row ${row} has at least ${letters.toLocaleString("en")} bytes`);
    members.push(text);
  }
  return `{${members.join(",")}}\n`;
}

function cellOf(texts: Texts, at: number, column: string, row: number): string {
  try {
    return texts(at);
  } catch (error) {
    if (!(error instanceof OffCalendar)) throw error;
    throw badCell({ row, column, problem: error.message, remedy: error.remedy });
  }
}
