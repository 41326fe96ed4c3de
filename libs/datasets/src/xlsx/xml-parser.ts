import { badFile } from "../cells/bad-cell.ts";
import { type Limits, overLimit } from "../limits.ts";

/** What a document is made of, in its order; names are without their prefixes. */
export interface XmlHandler {
  /** `attribute`: the text of one, by its name without prefix. */
  open(name: string, attribute: (name: string) => string | undefined): void;
  close(name: string): void;
  /** Text between tags; one text may come in pieces. */
  text(text: string): void;
}

const longestTag = 1024 * 1024;
/** The name ends where attributes begin, so that a tag without an end is not tried at every length. */
const tag = /<(\/?)([^\s/>"'<]+)(?=[\s/>])((?:[^"'>]|"[^"]*"|'[^']*')*)>/y;
const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };
/** What has another end than ">". */
const sections: readonly (readonly [string, string])[] = [
  ["<!--", "-->"],
  ["<![CDATA[", "]]>"],
  ["<?", "?>"],
];

/** As much of XML as SpreadsheetML (ECMA-376) needs, piece by piece. No document types, so that there are no entities but the five. */
export class XmlParser {
  readonly #handler: XmlHandler;
  readonly #limits: Limits;
  #left = "";
  #depth = 0;

  constructor(handler: XmlHandler, limits: Limits) {
    this.#handler = handler;
    this.#limits = limits;
  }

  feed(piece: string): void {
    const text = this.#left + piece;
    let at = 0;
    for (;;) {
      const open = text.indexOf("<", at);
      if (open < 0) break;
      if (open > at) this.#handler.text(unescaped(text.slice(at, open)));
      const end = this.#markup(text, open);
      if (end === undefined) {
        at = open;
        break;
      }
      at = end;
    }
    this.#left = text.slice(at);
    if (this.#left.length > Math.max(longestTag, this.#limits.cellBytes))
      throw overLimit("cellBytes", this.#limits, "A text or a tag of the sheet is longer than may be");
  }

  /** Errors: INVALID_ARGUMENT when the document is not whole. */
  end(): void {
    if (this.#depth !== 0 || this.#left.trim() !== "") throw badXml();
  }

  /** Goes past what begins with "<"; undefined when it is not all there. */
  #markup(text: string, open: number): number | undefined {
    for (const [start, end] of sections) {
      if (!text.startsWith(start, open)) continue;
      const found = text.indexOf(end, open + start.length);
      if (found < 0) return undefined;
      if (start === "<![CDATA[") this.#handler.text(text.slice(open + start.length, found));
      return found + end.length;
    }
    tag.lastIndex = open;
    const [whole, slash, name = "", attributes = ""] = tag.exec(text) ?? [];
    if (whole === undefined) {
      if (text.length - open > longestTag || /^<(?:!DOCTYPE|[\s<>])/i.test(text.slice(open, open + 9))) throw badXml();
      return undefined;
    }
    if (name.startsWith("!") && !"<![CDATA[".startsWith(whole)) throw badXml();
    const local = name.slice(name.indexOf(":") + 1);
    if (slash === "") {
      this.#depth++;
      this.#handler.open(local, attributesOf(attributes));
    }
    if (slash !== "" || attributes.endsWith("/")) {
      if (--this.#depth < 0) throw badXml();
      this.#handler.close(local);
    }
    return tag.lastIndex;
  }
}

/** The texts of a tag's attributes by their names, which are found when the first is asked for. */
function attributesOf(written: string): (name: string) => string | undefined {
  let found: Map<string, string> | undefined;
  return (name) => {
    found ??= allAttributes(written);
    const text = found.get(name);
    return text === undefined ? undefined : unescaped(text);
  };
}

/** Where two have one name but for the prefix, the first counts. */
function allAttributes(written: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, name = "", double, single] of written.matchAll(
    /(?:^|\s)(?:[\w.-]+:)?([\w.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g,
  )) {
    if (!found.has(name)) found.set(name, double ?? single ?? "");
  }
  return found;
}

function unescaped(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(#x[0-9a-f]{1,6}|#\d{1,7}|\w+);/gi, (written, name: string) => {
    if (!name.startsWith("#")) return entities[name] ?? written;
    const code = name[1] === "x" || name[1] === "X" ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= 0x10ffff && code > 0 ? String.fromCodePoint(code) : written;
  });
}

function badXml(): Error {
  return badFile("The workbook is damaged: its XML is not whole.", "Save it anew as .xlsx.");
}
