import { zipSync } from "fflate";

export interface WrittenWorkbook {
  /** The rows of each sheet, as SheetML. */
  readonly sheets: Readonly<Record<string, string>>;
  readonly strings?: readonly string[];
  /** Format codes of the styles 1, 2 … */
  readonly formats?: readonly string[];
  readonly from1904?: boolean;
  readonly prefix?: string;
}

/** A workbook of the parts that are given, and nothing else. */
export function workbookOf({
  sheets,
  strings = [],
  formats = [],
  from1904 = false,
  prefix = "",
}: WrittenWorkbook): Uint8Array {
  const type = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
  const names = Object.keys(sheets);
  const text = (xml: string) => Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${xml}`);
  const x = prefix === "" ? "" : `${prefix}:`;
  const relation = (id: string, kind: string, target: string) =>
    `<Relationship Id="${id}" Type="${type}/${kind}" Target="${target}"/>`;
  return zipSync({
    "xl/workbook.xml": text(
      `<${x}workbook><${x}workbookPr${from1904 ? ' date1904="1"' : ""}/><${x}sheets>${names.map((name, i) => `<${x}sheet name="${name}" sheetId="${i + 1}" r:id="r${i}"/>`).join("")}</${x}sheets></${x}workbook>`,
    ),
    "xl/_rels/workbook.xml.rels": text(
      `<Relationships>${names.map((_, i) => relation(`r${i}`, "worksheet", `/xl/worksheets/s${i}.xml`)).join("")}${relation("t", "sharedStrings", "sharedStrings.xml")}${relation("s", "styles", "styles.xml")}</Relationships>`,
    ),
    "xl/sharedStrings.xml": text(`<${x}sst>${strings.map((one) => `<${x}si>${one}</${x}si>`).join("")}</${x}sst>`),
    "xl/styles.xml": text(
      `<styleSheet><numFmts>${formats.map((code, i) => `<numFmt numFmtId="${200 + i}" formatCode="${code}"/>`).join("")}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/>${formats.map((_, i) => `<xf numFmtId="${200 + i}"/>`).join("")}</cellXfs></styleSheet>`,
    ),
    ...Object.fromEntries(
      names.map((name, i) => [
        `xl/worksheets/s${i}.xml`,
        text(`<${x}worksheet><${x}sheetData>${sheets[name]}</${x}sheetData></${x}worksheet>`),
      ]),
    ),
  });
}
