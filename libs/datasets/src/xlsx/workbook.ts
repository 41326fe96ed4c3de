import { badFile } from "../cells/bad-cell.ts";
import type { DataFile } from "../data-file.ts";
import { readZip, type ZipEntry } from "../images/zip-directory.ts";
import { entryPieces } from "../images/zip-entry.ts";
import { type Limits, overLimit } from "../limits.ts";
import { listed, quote } from "../schema.ts";
import { type NumberStyle, styleOf } from "./number-styles.ts";
import { RichText } from "./rich-text.ts";
import { type XmlHandler, XmlParser } from "./xml-parser.ts";

export interface Sheet {
  readonly name: string;
  readonly entry: ZipEntry;
}

/** What the workbook refers to, by id. */
type Relations = ReadonlyMap<string, { readonly type: string; readonly target: string }>;

const remedy = "Save it anew as .xlsx.";
const main = "xl/workbook.xml";
/** About what is held beside the letters: of a text, of what a sheet or a format is known by, and of a style. */
const heldBytes = { text: 24, entry: 128, style: 8 } as const;

/** An Excel workbook (ECMA-376): its sheets, and what their cells refer to. */
export class Workbook {
  readonly #file: DataFile;
  readonly #limits: Limits;
  readonly #signal: AbortSignal | undefined;
  readonly #entries: ReadonlyMap<string, ZipEntry>;
  #relations: Relations = new Map();
  #held = 0;
  /** Sheets of cells that are shown, in their order, and those that are hidden. */
  readonly sheets: Sheet[] = [];
  readonly hidden: Sheet[] = [];
  /** What numbers are, by the style of their cells. */
  styles: readonly NumberStyle[] = [];
  strings: readonly string[] = [];
  from1904 = false;

  private constructor(
    { file, limits }: { file: DataFile; limits: Limits },
    entries: readonly ZipEntry[],
    signal: AbortSignal | undefined,
  ) {
    this.#file = file;
    this.#limits = limits;
    this.#signal = signal;
    this.#entries = new Map(entries.map((entry) => [entry.name.toLowerCase(), entry]));
  }

  /** Errors: INVALID_ARGUMENT for what is no workbook, is damaged, or asks for too much. */
  static async open(file: DataFile, limits: Limits, signal: AbortSignal | undefined): Promise<Workbook> {
    const entries = await readZip(file, { ...limits, zipEntryBytes: limits.zipTotalBytes }, signal);
    const workbook = new Workbook({ file, limits }, entries, signal);
    workbook.#relations = await workbook.#readRelations();
    await workbook.#readSheets();
    return workbook;
  }

  /** The sheet of this name, or the first. Errors: INVALID_ARGUMENT. */
  sheet(name: string | undefined): Sheet {
    const all = [...this.sheets, ...this.hidden];
    const found = name === undefined ? all[0] : all.find((sheet) => sheet.name === name);
    if (found !== undefined) return found;
    if (name === undefined) throw badFile("The workbook has no sheet of cells.", remedy);
    throw badFile(`The workbook has no sheet ${quote(name)}.`, `Its sheets are ${listed(all.map((one) => one.name))}.`);
  }

  /** Passes over a file of the workbook whose content is held. */
  async #parse(entry: ZipEntry, handler: XmlHandler): Promise<void> {
    const limits = this.#limits;
    if (entry.sizeBytes > limits.workbookTextBytes) {
      const size = entry.sizeBytes.toLocaleString("en");
      throw overLimit("workbookTextBytes", limits, `${quote(entry.name)} of the workbook has ${size} bytes`);
    }
    for await (const _ of this.parsed(entry, handler));
  }

  /** Counts what is held, before it is. */
  #hold(letters: number, kind: keyof typeof heldBytes): void {
    this.#held += letters + heldBytes[kind];
    if (this.#held <= this.#limits.workbookTextBytes) return;
    const size = this.#held.toLocaleString("en");
    throw overLimit("workbookTextBytes", this.#limits, `Texts, styles and sheets of the workbook take ${size} bytes`);
  }

  /** Passes over a file of the workbook, stopping after each piece. */
  async *parsed(entry: ZipEntry, handler: XmlHandler): AsyncGenerator<void, void> {
    const parser = new XmlParser(handler, this.#limits);
    const decoder = new TextDecoder("utf-8", { fatal: true });
    try {
      for await (const piece of entryPieces(this.#file, entry, this.#signal)) {
        parser.feed(decoder.decode(piece, { stream: true }));
        yield;
      }
      parser.feed(decoder.decode());
    } catch (error) {
      throw error instanceof TypeError ? badFile("The workbook is damaged: its text is not UTF-8.", remedy) : error;
    }
    parser.end();
  }

  /** Reads the texts that cells share, and which styles are dates. */
  async readShared(): Promise<void> {
    const relations = [...this.#relations.values()];
    const of = (kind: string) => this.#entry(relations.find(({ type }) => type.endsWith(kind))?.target);
    const [strings, styles] = [of("/sharedStrings"), of("/styles")];
    if (strings !== undefined) this.strings = await this.#readStrings(strings);
    if (styles !== undefined) this.styles = await this.#readStyles(styles);
  }

  async #readStrings(entry: ZipEntry): Promise<string[]> {
    const strings: string[] = [];
    const rich = new RichText(this.#limits);
    await this.#parse(entry, {
      open: (name) => {
        if (name === "si") rich.begin();
        else rich.open(name);
      },
      close: (name) => {
        if (name !== "si") return rich.close(name);
        const { text } = rich;
        this.#hold(text.length, "text");
        strings.push(text);
      },
      text: (text) => rich.add(text),
    });
    return strings;
  }

  async #readStyles(entry: ZipEntry): Promise<NumberStyle[]> {
    const codes = new Map<number, string>();
    const styles: NumberStyle[] = [];
    let inCells = false;
    await this.#parse(entry, {
      open: (name, attribute) => {
        const id = Number(attribute("numFmtId"));
        if (name === "cellXfs") inCells = true;
        if (name === "numFmt") {
          const code = attribute("formatCode") ?? "";
          this.#hold(code.length, "entry");
          codes.set(id, code);
        } else if (name === "xf" && inCells) {
          this.#hold(0, "style");
          styles.push(styleOf(id, codes.get(id)));
        }
      },
      close: (name) => {
        if (name === "cellXfs") inCells = false;
      },
      text: () => {},
    });
    return styles;
  }

  async #readRelations(): Promise<Relations> {
    const entry = this.#entries.get("xl/_rels/workbook.xml.rels");
    if (entry === undefined) throw badFile("The ZIP file is no workbook: it has no list of sheets.", remedy);
    const relations = new Map<string, { type: string; target: string }>();
    await this.#parse(entry, {
      open: (name, attribute) => {
        if (name !== "Relationship") return;
        const [id = "", type = "", target = ""] = [attribute("Id"), attribute("Type"), attribute("Target")];
        this.#hold(id.length + type.length + target.length, "entry");
        relations.set(id, { type, target });
      },
      close: () => {},
      text: () => {},
    });
    return relations;
  }

  async #readSheets(): Promise<void> {
    const entry = this.#entries.get(main);
    if (entry === undefined) throw badFile("The ZIP file is no workbook: it has no list of sheets.", remedy);
    await this.#parse(entry, {
      open: (name, attribute) => {
        if (name === "workbookPr") this.from1904 = /^(?:1|true)$/.test(attribute("date1904") ?? "");
        if (name !== "sheet") return;
        const relation = this.#relations.get(attribute("id") ?? "");
        const cells = relation?.type.endsWith("/worksheet") ? this.#entry(relation.target) : undefined;
        if (cells === undefined) return;
        const list = /hidden/i.test(attribute("state") ?? "") ? this.hidden : this.sheets;
        const called = attribute("name") ?? "";
        this.#hold(called.length, "entry");
        list.push({ name: called, entry: cells });
      },
      close: () => {},
      text: () => {},
    });
  }

  #entry(target: string | undefined): ZipEntry | undefined {
    if (target === undefined) return undefined;
    const path = target.startsWith("/") ? target.slice(1) : `xl/${target}`;
    return this.#entries.get(path.replace(/^xl\/\.\//, "xl/").toLowerCase());
  }
}
