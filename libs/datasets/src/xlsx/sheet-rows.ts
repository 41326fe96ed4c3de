import { badFile, badRow } from "../cells/bad-cell.ts";
import { type Limits, overLimit } from "../limits.ts";
import { linePieces } from "../line-pieces.ts";
import { serialText } from "./number-styles.ts";
import { OddCells } from "./odd-cells.ts";
import { joined, RichText } from "./rich-text.ts";
import type { Sheet, Workbook } from "./workbook.ts";
import type { XmlHandler } from "./xml-parser.ts";

const mostEmptyRows = 10_000;

/** A row as it is kept until it is written: where a sheet refers to a text or leaves rows out, its line is far longer than what stands there. */
interface KeptRow {
  /** Empty rows before it. */
  readonly gap: number;
  /** With holes. */
  readonly cells: readonly string[];
}

/** The cells of a sheet as CSV: its first row that is not empty is the header, and empty rows at the end are none. */
export class SheetRows implements XmlHandler {
  readonly #workbook: Workbook;
  readonly #sheet: Sheet;
  readonly #limits: Limits;
  readonly #rich: RichText;
  readonly #uncomputed = new OddCells();
  readonly #errors = new OddCells();
  #kept: KeptRow[] = [];
  #width = 0;
  #emptyRows = 0;
  /** Rows of data so far, those of them that were written, and the number of the row under way in the sheet. */
  #rows = 0;
  #written = 0;
  #number = 0;
  #row: string[] = [];
  #column = 0;
  #cell = { place: "", type: "", style: 0, value: "", hasFormula: false };
  #isValue = false;

  constructor(workbook: Workbook, sheet: Sheet, limits: Limits) {
    this.#workbook = workbook;
    this.#sheet = sheet;
    this.#limits = limits;
    this.#rich = new RichText(limits);
  }

  /** What a person should know of the sheet, once its rows were read. */
  get notes(): readonly string[] {
    return [
      ...this.#errors.notes((cells, first) => `${cells} with an error, such as ${first}; it counts as empty.`),
      ...this.#uncomputed.notes(
        (cells, first) =>
          `${cells} with a formula that was never computed, such as ${first}; it counts as empty. Open the workbook in Excel or LibreOffice, and save it.`,
      ),
    ];
  }

  async *lines(): AsyncGenerator<Buffer, void> {
    await this.#workbook.readShared();
    for await (const _ of this.#workbook.parsed(this.#sheet.entry, this)) yield* linePieces(this.#taken());
    if (this.#width === 0)
      throw badFile(
        `Sheet ${JSON.stringify(this.#sheet.name)} is empty.`,
        "Name another: --sheet NAME (in the API: read.sheet).",
      );
    yield* linePieces(this.#taken());
  }

  open(name: string, attribute: (name: string) => string | undefined): void {
    if (name === "row") this.#beginRow(attribute("r"));
    else if (name === "c") this.#beginCell(attribute("r"), attribute("t") ?? "n", Number(attribute("s") ?? 0));
    else if (name === "f") this.#cell.hasFormula = true;
    else if (name === "v") this.#isValue = true;
    else this.#rich.open(name);
  }

  close(name: string): void {
    if (name === "row") this.#endRow();
    else if (name === "c") this.#endCell();
    else if (name === "v") this.#isValue = false;
    else this.#rich.close(name);
  }

  text(text: string): void {
    if (this.#isValue) this.#cell.value = joined(this.#cell.value, text, this.#limits);
    else this.#rich.add(text);
  }

  #beginRow(written: string | undefined): void {
    const number = written === undefined ? this.#number + 1 : Number(written);
    if (!Number.isSafeInteger(number) || number <= this.#number)
      throw badSheet(`row ${written} follows row ${this.#number}`);
    this.#emptyRows += number - this.#number - 1;
    this.#number = number;
    this.#row = [];
    this.#column = 0;
  }

  #beginCell(place: string | undefined, type: string, style: number): void {
    const letters = place === undefined ? undefined : /^[A-Z]{1,3}(?=\d+$)/.exec(place)?.[0];
    if (place !== undefined && letters === undefined)
      throw badSheet(`there is a cell ${JSON.stringify(place.slice(0, 20))}`);
    if (letters !== undefined) this.#column = columnOf(letters);
    this.#cell = { place: place ?? `row ${this.#number}`, type, style, value: "", hasFormula: false };
    this.#rich.begin();
  }

  #endCell(): void {
    const value = this.#valueOf();
    if (value !== "") {
      if (this.#column >= this.#limits.columns)
        throw overLimit("columns", this.#limits, `Cell ${this.#cell.place} is in column ${this.#column + 1}`);
      this.#row[this.#column] = value;
    }
    this.#column++;
  }

  #valueOf(): string {
    const { type, style, value, place, hasFormula } = this.#cell;
    if (hasFormula && value === "" && type !== "str") this.#uncomputed.add(place);
    switch (type) {
      case "s":
        return value === "" ? "" : this.#shared(value);
      case "inlineStr":
        return this.#rich.text;
      case "b":
        return value === "" ? "" : value === "0" ? "false" : "true";
      case "e":
        this.#errors.add(`${value} in ${place}`);
        return "";
      case "n": {
        const kind = this.#workbook.styles[style];
        return value === "" || kind === undefined || kind === "number"
          ? value
          : serialText(value, kind, this.#workbook.from1904);
      }
      default:
        return value;
    }
  }

  #shared(index: string): string {
    const text = this.#workbook.strings[Number(index)];
    if (text === undefined) throw badSheet(`cell ${this.#cell.place} refers to a text that is not there`);
    return text;
  }

  #endRow(): void {
    const row = this.#row;
    if (row.length === 0) {
      this.#emptyRows++;
      return;
    }
    const isHeader = this.#width === 0;
    const gap = isHeader ? 0 : this.#emptyRows;
    if (isHeader) this.#width = row.length;
    if (gap > mostEmptyRows) throw badSheet(`row ${this.#number} follows ${gap} empty ones`);
    this.#rows += gap;
    this.#emptyRows = 0;
    if (row.length > this.#width) {
      const problem = `there is a value in column ${row.length} of the sheet (row ${this.#number}), but the header has ${this.#width}`;
      throw badRow(
        this.#rows,
        undefined,
        problem,
        "Let the sheet begin with the names of its columns, one above each.",
      );
    }
    this.#kept.push({ gap, cells: row });
    this.#rows++;
  }

  /** What was kept, as CSV; empty rows between others are rows. */
  *#taken(): Generator<string, void> {
    const kept = this.#kept;
    this.#kept = [];
    for (const { gap, cells } of kept) {
      for (let row = 0; row < gap; row++) yield this.#line([]);
      yield this.#line(cells);
    }
  }

  #line(cells: readonly string[]): string {
    const row = this.#written++;
    if (this.#width === 1 && (cells[0] ?? "") === "") return '""\n';
    let letters = this.#width;
    for (const cell of cells) letters += cell?.length ?? 0;
    if (letters > this.#limits.rowBytes) {
      const named = row === 0 ? "The header" : `Row ${row}`;
      throw overLimit("rowBytes", this.#limits, `${named} has at least ${letters.toLocaleString("en")} bytes`);
    }
    return `${Array.from({ length: this.#width }, (_, at) => quoted(cells[at] ?? "")).join(",")}\n`;
  }
}

/** From 0. */
function columnOf(letters: string): number {
  return [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0) - 1;
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function badSheet(why: string): Error {
  return badFile(`The sheet is damaged: ${why}.`, "Save the workbook anew as .xlsx.");
}
