import { badFile } from "./cells/bad-cell.ts";
import { quote } from "./schema.ts";

interface OtherFormat {
  readonly what: string;
  readonly remedy: string;
}

const asCsv = "Save the table as CSV, JSON Lines or Parquet.";
const sheetAsCsv =
  'Save it as .xlsx without a password, or the sheet as CSV; in pandas: read_excel("FILE").to_csv("FILE.csv", index=False).';
const unpack = "Unpack it first, and push what is in it.";

/** Formats that are told by their first bytes, as Latin-1. */
const magics: readonly (readonly [string, OtherFormat])[] = [
  ["\x1f\x8b", { what: "compressed with gzip", remedy: unpack }],
  ["\x28\xb5\x2f\xfd", { what: "compressed with Zstandard", remedy: unpack }],
  ["BZh91AY&SY", { what: "compressed with bzip2", remedy: unpack }],
  ["\xfd7zXZ\0", { what: "compressed with xz", remedy: unpack }],
  ["\x04\x22\x4d\x18", { what: "compressed with LZ4", remedy: unpack }],
  ["7z\xbc\xaf\x27\x1c", { what: "a 7-Zip archive", remedy: unpack }],
  ["Rar!\x1a\x07", { what: "a RAR archive", remedy: unpack }],
  [
    "\xd0\xcf\x11\xe0",
    { what: "an old Excel workbook (.xls), one with a password, or another Office document", remedy: sheetAsCsv },
  ],
  [
    "ARROW1",
    {
      what: "a Feather (Arrow) file",
      remedy: "Leave its format out, or name it arrow.",
    },
  ],
  [
    "FEA1",
    {
      what: "a Feather file of version 1",
      remedy: 'Save it as Parquet; in pandas: read_feather("FILE").to_parquet("FILE.parquet").',
    },
  ],
  [
    "ORC",
    { what: "an ORC file", remedy: 'Save it as Parquet; in pandas: read_orc("FILE").to_parquet("FILE.parquet").' },
  ],
  ["Obj\x01", { what: "an Avro file", remedy: asCsv }],
  ["SQLite format 3\0", { what: "an SQLite database", remedy: "Export the table as CSV." }],
  ["\x89HDF\r\n\x1a\n", { what: "an HDF5 file", remedy: asCsv }],
  [
    "\x93NUMPY",
    {
      what: "a NumPy array (.npy)",
      remedy: 'Save it as CSV: pandas.DataFrame(numpy.load("FILE")).to_csv("FILE.csv", index=False).',
    },
  ],
  ["\x80\x02", { what: "a Python pickle", remedy: asCsv }],
  ["\x80\x03", { what: "a Python pickle", remedy: asCsv }],
  ["\x80\x04", { what: "a Python pickle", remedy: asCsv }],
  ["\x80\x05", { what: "a Python pickle", remedy: asCsv }],
  ["%PDF-", { what: "a PDF document", remedy: asCsv }],
  [
    "<stata_dta>",
    { what: "a Stata file", remedy: 'Save it as CSV; in pandas: read_stata("FILE").to_csv("FILE.csv", index=False).' },
  ],
  [
    "$FL2",
    { what: "an SPSS file", remedy: 'Save it as CSV; in pandas: read_spss("FILE").to_csv("FILE.csv", index=False).' },
  ],
  ["MATLAB 5.0 MAT-file", { what: "a MATLAB file", remedy: asCsv }],
  ["GIF8", { what: "one image", remedy: "Pack folders of PNG or JPEG images into a ZIP file: label/name.png." }],
  ["\x89PNG", { what: "one image", remedy: "Pack folders of images into a ZIP file: label/name.png." }],
  ["\xff\xd8\xff", { what: "one image", remedy: "Pack folders of images into a ZIP file: label/name.png." }],
];

/** Formats that are told by how their text begins. */
const beginnings: readonly (readonly [RegExp, OtherFormat])[] = [
  [
    /^\s*<(?:!doctype\s+html|html|head|body|table|div)\b/i,
    {
      what: "an HTML page",
      remedy:
        'If it should be a table, look at what was downloaded; in pandas: read_html("FILE")[0].to_csv("FILE.csv", index=False).',
    },
  ],
  [/^\s*<\?xml\b/i, { what: "XML", remedy: asCsv }],
];

/** Refuses, by their names, formats that are no table of this package's, from the first bytes of a file. */
export function refuseOtherFormats(bytes: Uint8Array): void {
  const start = Buffer.from(bytes.subarray(0, 1024)).toString("latin1");
  // "ORC" may begin a header, too; a file of that format soon has bytes that no text has.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these tell bytes from text
  const isText = !/[\x00-\x08\x0e-\x1f\x80-\xff]/.test(start);
  const found =
    magics.find(([magic]) => start.startsWith(magic) && !(isText && /^\w+$/.test(magic)))?.[1] ??
    beginnings.find(([pattern]) => pattern.test(start.replace(/^\xef\xbb\xbf/, "")))?.[1];
  if (found !== undefined) throw badFile(`The file is ${found.what}.`, found.remedy);
}

/** Refuses, where another format was named, JSON whose rows are not lines. */
export function refuseJson(bytes: Uint8Array): void {
  if (!beginsJsonTable(Buffer.from(bytes.subarray(0, 1024)).toString("utf8"))) return;
  throw badFile("The file is JSON whose rows are not lines.", "Leave its format out, or name it json.");
}

/** Whether text begins as JSON does that is an array of rows, or an object over several lines. */
export function beginsJsonTable(text: string): boolean {
  return /^[\s\ufeff]*(?:\[\s*(?:[{[\]]|[\r\n])|\{\s*[\r\n]\s*")/.test(text);
}

/** ZIP archives that are something else, by a file in them. */
const archives: readonly (readonly [RegExp, OtherFormat])[] = [
  [/^xl\/workbook\.bin$/, { what: "a binary Excel workbook (.xlsb)", remedy: sheetAsCsv }],
  [/^xl\//, { what: "an Excel workbook (.xlsx)", remedy: "Leave its format out, or name it xlsx." }],
  [/^(?:word|ppt)\//, { what: "an Office document", remedy: asCsv }],
  [/^mimetype$/, { what: "an OpenDocument file", remedy: "Save the sheet as CSV." }],
  [
    /\.npy$/,
    {
      what: "NumPy arrays (.npz)",
      remedy: 'Save one as CSV: pandas.DataFrame(numpy.load("FILE")["NAME"]).to_csv("FILE.csv", index=False).',
    },
  ],
  [/\.onnx$/i, { what: "a packed model", remedy: "Unpack it, and push it with aimass models push." }],
];

/** Refuses, by what it is, an archive of other files than images. */
export function refuseOtherArchives(names: readonly string[]): void {
  if (names.some((name) => /\.(?:png|jpe?g)$/i.test(name))) return;
  const found = archives.find(([pattern]) => names.some((name) => pattern.test(name)))?.[1];
  if (found !== undefined) throw badFile(`The file is ${found.what}.`, found.remedy);
  const table = names.find((name) =>
    /\.(?:csv|tsv|tab|jsonl?|ndjson|parquet|pq|feather|arrow|xlsx)(?:\.gz|\.zst)?$/i.test(name),
  );
  if (table !== undefined) throw badFile(`The file is a ZIP archive of ${quote(table)}.`, unpack);
}
