import { gzipSync } from "node:zlib";
import { Level } from "@aimass/api/auth";
import { ColumnType, type CreateDatasetVersionRequestSchema, DatasetFormat } from "@aimass/api/registry";
import { defaultMissing } from "@aimass/datasets";
import { refusal } from "@aimass/testkit";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parquetFile, pngFile } from "../testing/dataset-files.ts";
import { startTestRegistry, type TestRegistry, upload } from "../testing/test-registry.ts";

const grants = [
  { subject: "user:ada", resource: "default", level: Level.EDIT },
  { subject: "user:bob", resource: "default", level: Level.VIEW },
];

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startTestRegistry({ grants });
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

type Options = MessageInitShape<typeof CreateDatasetVersionRequestSchema>;

async function add(dataset: string, file: string | Uint8Array, options: Options = {}) {
  const clients = registry.as("user:ada");
  const sha256 = await upload(clients, Buffer.from(file));
  const made = await clients.datasets.createDatasetVersion({ dataset, sha256, ...options }, { timeoutMs: 60_000 });
  if (made.datasetVersion === undefined) throw new Error("no version came back");
  return made.datasetVersion;
}

async function isAbsent(dataset: string): Promise<boolean> {
  const error = await refusal(registry.as("user:ada").datasets.getDatasetVersion({ dataset }));
  return error.code === "NOT_FOUND";
}

async function preview(dataset: string, rows = 0) {
  const found = await registry.as("user:ada").datasets.previewDataset({ dataset, rows });
  return { columns: found.columns, rows: found.rows.map((row) => row.cells.map((cell) => cell.value.value)) };
}

describe("columns that people chose at the push", () => {
  it("are kept with the version, which is read so again", async () => {
    const lines = '{"id":1,"v":[1,2],"odd":{"a":1},"t":"x"}\n{"id":2,"v":[3,4],"odd":null,"t":"y"}\n';
    const read = { without: ["id", "odd"], rename: { v_1: "second", t: "v_1" } };
    const made = await add("chosen", lines, { read });
    expect(made.columns).toMatchObject([
      { name: "v_0", sourceName: "v", element: 0 },
      { name: "second", sourceName: "v", element: 1 },
      { name: "v_1", sourceName: "t" },
    ]);
    expect(made.read).toMatchObject(read);
    expect(await preview("chosen")).toEqual({
      columns: ["v_0", "second", "v_1"],
      rows: [
        [1, 2, "x"],
        [3, 4, "y"],
      ],
    });
    const again = { read: { ...read, without: ["odd", "id"] } };
    expect((await add("chosen", lines, again)).version).toBe(made.version);
    expect((await add("chosen", lines, { read: { without: ["id", "odd"] } })).version).toBe(made.version + 1n);
  });

  it("are refused by name where the file has none of them", async () => {
    const error = await refusal(add("chosen-absent", "a,b\n1,2\n", { read: { columns: ["c"] } }));
    expect(error.message).toBe('The file has no column "c".');
    expect((await refusal(add("chosen-absent", "a,b\n1,2\n", { read: { rename: { a: "" } } }))).field).toContain(
      "read.rename",
    );
  });
});

describe("how text is written", () => {
  it("is kept with the version: a separator that was found too", async () => {
    const file = Buffer.from("größe;preis\nklein;1.234,5\ngroß;2\n", "latin1");
    const read = { encoding: "windows-1252", decimal: ",", thousands: "." };
    const made = await add("german", file, { read, format: DatasetFormat.CSV });
    expect(made.read).toMatchObject({ ...read, delimiter: ";" });
    expect(made.warnings.join()).toContain('separated by ";"');
    expect((await preview("german")).rows).toEqual([
      ["klein", 1234.5],
      ["groß", 2],
    ]);
    expect((await add("german", file, { read, format: DatasetFormat.CSV })).version).toBe(made.version);
  });

  it.each([
    [{ encoding: "utf-99" }, "read.encoding"],
    [{ decimal: ";" }, "read.decimal"],
    [{ decimal: ",", thousands: "," }, "read.thousands"],
    [{ thousands: "." }, "read.thousands"],
  ])("is refused where it means nothing: %j", async (read, field) => {
    expect((await refusal(add("odd-writing", "a,b\n1,2\n", { read }))).field).toBe(field);
  });
});

describe("a dataset whose format is not named", () => {
  it("is CSV, with types, statistics, and how it was read", async () => {
    const made = await add("told-csv", "name,age,member,zip\nAda,36,true,0123\nBob,NA,false,0456\nAda,40,,0123\n");
    expect(made).toMatchObject({ format: DatasetFormat.CSV, rows: 3n });
    expect(made.columns).toMatchObject([
      { name: "name", type: ColumnType.STRING, distinct: 2n, shortest: 3n, longest: 3n, looks: "category" },
      {
        name: "age",
        type: ColumnType.NUMBER,
        missing: 1n,
        minimum: 36,
        maximum: 40,
        mean: 38,
        deviation: Math.SQRT2 * 2,
      },
      { name: "member", type: ColumnType.BOOLEAN, missing: 1n, distinct: 2n },
      { name: "zip", type: ColumnType.STRING, shortest: 4n },
    ]);
    expect(made.columns[0]?.frequent).toMatchObject([
      { value: "Ada", count: 2n },
      { value: "Bob", count: 1n },
    ]);
    expect(made.columns[1]?.frequent).toEqual([]);
    expect(made.warnings).toEqual([expect.stringContaining('Column "zip" is kept as text: "0123" in row 1')]);
    expect(made.read).toMatchObject({ delimiter: ",", types: {} });
    expect(made.read).toMatchObject({ missing: defaultMissing, onlyMissing: true });
  });

  it("is TSV, JSON Lines, Parquet, or a ZIP of images", async () => {
    expect(await add("told-tsv", "a\tb\n1\tx,y\n")).toMatchObject({
      format: DatasetFormat.TSV,
      read: { delimiter: "\t" },
    });
    const lines = await add("told-json", '{"a":1,"b":"x"}\n{"a":null,"b":"None"}\n');
    expect(lines).toMatchObject({ format: DatasetFormat.JSON_LINES, rows: 2n, read: { missing: [], delimiter: "" } });
    expect(lines.columns.map((column) => column.missing)).toEqual([1n, 0n]);
    const parquet = await add("told-parquet", parquetFile([{ name: "x", data: [1, 2.5, 4], type: "DOUBLE" }]));
    expect(parquet).toMatchObject({ format: DatasetFormat.PARQUET, rows: 3n, columns: [{ name: "x", mean: 2.5 }] });
    const images = { "cat/1.png": pngFile(8, 6), "dog/2.png": pngFile(3, 3), "dog/3.png": pngFile(1, 1) };
    for (const level of [0, 6] as const) {
      const zip = await add(`told-images-${level}`, zipSync(images, { level }));
      expect(zip).toMatchObject({ format: DatasetFormat.IMAGE_ZIP, rows: 3n });
      expect(zip.columns).toMatchObject([
        { name: "image", type: ColumnType.IMAGE, distinct: 0n, frequent: [] },
        {
          name: "label",
          type: ColumnType.STRING,
          frequent: [
            { value: "dog", count: 2n },
            { value: "cat", count: 1n },
          ],
        },
      ]);
    }
  });

  it("is JSON by its columns, as pandas writes it", async () => {
    const made = await add("told-json-table", '{"a":{"0":1,"1":2},"b":{"0":"NA","1":null}}');
    expect(made).toMatchObject({ format: DatasetFormat.JSON, rows: 2n, columns: [{ mean: 1.5 }, { missing: 1n }] });
  });

  it("is a workbook, and keeps which sheet was read", async () => {
    const cells = (...values: number[]) =>
      `<row><c t="inlineStr"><is><t>a</t></is></c></row>${values.map((v) => `<row><c><v>${v}</v></c></row>`).join("")}`;
    const kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet";
    const xml = {
      "xl/workbook.xml":
        '<workbook><sheets><sheet name="One" r:id="a"/><sheet name="Two" r:id="b"/></sheets></workbook>',
      "xl/_rels/workbook.xml.rels": `<Relationships>${["a", "b"].map((id) => `<Relationship Id="${id}" Type="${kind}" Target="${id}.xml"/>`).join("")}</Relationships>`,
      "xl/a.xml": `<worksheet>${cells(1, 2)}</worksheet>`,
      "xl/b.xml": `<worksheet>${cells(3, 4, 5)}</worksheet>`,
    };
    const workbook = zipSync(Object.fromEntries(Object.entries(xml).map(([name, text]) => [name, Buffer.from(text)])));
    const first = await add("told-workbook", workbook);
    expect(first).toMatchObject({ format: DatasetFormat.XLSX, rows: 2n, read: { sheet: "One", delimiter: "" } });
    expect((await add("told-workbook", workbook)).version).toBe(1n);
    const second = await add("told-workbook", workbook, { read: { sheet: "Two" } });
    expect(second).toMatchObject({ version: 2n, rows: 3n, read: { sheet: "Two" } });
    const error = await refusal(add("told-workbook-csv", "a\n1\n", { read: { sheet: "Two" } }));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", field: "read.sheet" });
  });

  it("is what is in it where it is compressed", async () => {
    const made = await add("told-packed", gzipSync("a\tb\n1\tx\n2\ty\n"));
    expect(made).toMatchObject({ format: DatasetFormat.TSV, rows: 2n, columns: [{ name: "a" }, { name: "b" }] });
  });

  it("may have as many columns as a table of genes", async () => {
    const names = Array.from({ length: 6830 }, (_, i) => `gene_${i}`);
    const rows = Array.from({ length: 64 }, (_, row) => names.map((_, i) => Math.sin(row + i).toFixed(3)).join(","));
    const made = await add("told-genes", `${names.join(",")}\n${rows.join("\n")}\n`);
    expect(made.columns).toHaveLength(6830);
    const preview = await registry.as("user:ada").datasets.previewDataset({ dataset: "told-genes" });
    expect(preview.columns).toHaveLength(6830);
    const listed = await registry.as("user:ada").datasets.listDatasets({});
    expect(listed.datasets.map(({ dataset }) => dataset)).toContain("told-genes");
  });

  it("is refused when it is none of them", async () => {
    const error = await refusal(add("told-nothing", Buffer.from("\x7fELF\0\0", "latin1")));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "BAD_FILE" });
    expect(await isAbsent("told-nothing")).toBe(true);
  });
});

describe("the way a dataset is read", () => {
  it("is kept, and the same bytes read in another way are a new version", async () => {
    const text = "zip;price\n1234;5\n999;-1\n";
    const read = { delimiter: ";", missing: ["-1"], types: { zip: ColumnType.STRING } };
    const first = await add("options", text, { read });
    const kept = { ...read, missing: [...defaultMissing, "-1"], onlyMissing: true };
    expect(first).toMatchObject({ version: 1n, format: DatasetFormat.CSV, read: kept });
    expect(await add("options", text, { read: kept })).toEqual(first);
    expect(first.columns).toMatchObject([{ type: ColumnType.STRING }, { type: ColumnType.NUMBER, missing: 1n }]);
    expect(await add("options", text, { read, description: "again" })).toEqual(first);
    expect(await add("options", text, { read, format: DatasetFormat.CSV })).toEqual(first);
    const second = await add("options", text, { read: { delimiter: ";" } });
    expect(second).toMatchObject({ version: 2n, columns: [{ type: ColumnType.NUMBER }, { minimum: -1 }] });
    expect(await add("options", text, { read: { delimiter: ";", missing: [] }, format: DatasetFormat.CSV })).toEqual(
      second,
    );
  });

  it("with the defaults spelled out is the same way", async () => {
    const plain = await add("defaults", "a,b\n1,2\n");
    const missing = [...defaultMissing].reverse();
    for (const onlyMissing of [false, true]) {
      expect(await add("defaults", "a,b\n1,2\n", { read: { delimiter: ",", missing, onlyMissing } })).toEqual(plain);
    }
  });

  it("lets words mean themselves that usually mean no value", async () => {
    const text = "smoking,n\nNA,1\nNone,2\n,3\n";
    const usual = await add("words", text);
    expect(usual.columns[0]).toMatchObject({ missing: 3n });
    const own = await add("words", text, { read: { missing: [""], onlyMissing: true } });
    expect(own).toMatchObject({ version: 2n, columns: [{ missing: 1n, distinct: 2n }, {}], read: { missing: [""] } });
  });

  it("has words of single columns that mean no value, which a preview knows too", async () => {
    const made = await add("gaps", "hp,mark\n1.5,?\n?,a\n2.5,?\n");
    expect(made.columns).toMatchObject([
      { type: ColumnType.NUMBER, missing: 1n, missingWords: ["?"] },
      { type: ColumnType.STRING, missing: 0n, missingWords: [] },
    ]);
    expect(made.warnings).toEqual([expect.stringMatching(/^Column "hp" is read as numbers: "\?" in 1 of 3 rows/)]);
    const { rows } = await preview("gaps");
    expect(rows).toEqual([
      [1.5, "?"],
      [undefined, "a"],
      [2.5, "?"],
    ]);
  });

  it("knows the pattern of a column of dates, which previews show in ISO 8601", async () => {
    const made = await add("german-days", "day,y\n01.02.2024,1\n31.02.2024,2\n13.02.2024,3\n");
    expect(made.columns[0]).toMatchObject({
      type: ColumnType.STRING,
      looks: "date",
      datePattern: "DD.MM.YYYY",
      missing: 1n,
    });
    expect(made.warnings).toEqual([
      expect.stringContaining('"31.02.2024" in 1 of 3 rows is no day and counts as missing'),
    ]);
    expect((await preview("german-days")).rows).toEqual([
      ["2024-02-01", 1],
      [undefined, 2],
      ["2024-02-13", 3],
    ]);
  });

  it("says which of day and month comes first where nothing decides it", async () => {
    const text = "day,y\n01/02/2024,1\n03/04/2024,2\n";
    const silent = await add("either-way", text);
    expect(silent.columns[0]).toMatchObject({ looks: "category", datePattern: "" });
    expect(silent.warnings).toEqual([expect.stringContaining("--type day=date:DMY or --type day=date:MDY")]);
    const said = await add("either-way", text, { read: { dates: { day: "MDY" } } });
    expect(said).toMatchObject({ version: 2n, read: { dates: { day: "MDY" } }, warnings: [] });
    expect(said.columns[0]).toMatchObject({ looks: "date", datePattern: "MM/DD/YYYY" });
    for (const read of [{ dates: { day: "DYM" } }, { dates: { day: "DMY" }, types: { day: ColumnType.STRING } }]) {
      expect(await refusal(add("either-way", text, { read }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    const none = await refusal(add("either-way", text, { read: { dates: { year: "DMY" } } }));
    expect(none.message).toContain('There is no column "year"');
  });

  it("leaves out row names unless they are wanted", async () => {
    const text = ",x\n0,1\n1,2\n";
    expect((await add("rows", text)).columns.map(({ name }) => name)).toEqual(["x"]);
    const kept = await add("rows", text, { read: { keepIndex: true } });
    expect(kept).toMatchObject({
      version: 2n,
      read: { keepIndex: true },
      columns: [{ name: "column_1" }, { name: "x" }],
    });
    expect(await add("rows", text, { read: { keepIndex: true } })).toEqual(kept);
  });

  it("of numbers that are ids is told", async () => {
    const made = await add("ids", "PassengerId,fare\n17,7.5\n4,8.5\n9,7.5\n");
    expect(made.columns.map(({ looks }) => looks)).toEqual(["id", ""]);
  });

  it("decides what a preview shows", async () => {
    await add("codes", "zip,n\n0012,5\n1234,?\n", { read: { missing: ["?"], types: { zip: ColumnType.STRING } } });
    expect(await preview("codes")).toEqual({
      columns: ["zip", "n"],
      rows: [
        ["0012", 5],
        ["1234", undefined],
      ],
    });
  });

  it.each([
    [{ delimiter: "ab" }, "read.delimiter"],
    [{ types: { b: ColumnType.STRING } }, "read.types"],
    [{ types: { a: ColumnType.IMAGE } }, "read.types[a]"],
    [{ types: { a: ColumnType.UNSPECIFIED } }, "read.types[a]"],
    [{ missing: ["x".repeat(101)] }, "read.missing"],
  ])("%j is refused, naming %s", async (read, field) => {
    expect(await refusal(add("odd", "a\n1\n", { read }))).toMatchObject({ code: "INVALID_ARGUMENT", field });
    expect(await isAbsent("odd")).toBe(true);
  });

  it("has no delimiter where the format has none", async () => {
    const options = { read: { delimiter: ";" } };
    expect(await refusal(add("odd", '{"a":1}\n', options))).toMatchObject({ field: "read.delimiter" });
  });
});

describe("a cell that does not parse", () => {
  it("is named with row, line, column, value and what would be right", async () => {
    const rows = Array.from({ length: 16 }, (_, row) => `${row},"two\nlines"\n`).join("");
    const error = await refusal(add("bad-cell", `age,note\n${rows}"1,234",x\n`));
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "BAD_CELL",
      field: "rows[17].age",
      message: expect.stringMatching(/^Row 17 \(line 34\), column "age": "1,234" /),
      remedy: expect.stringContaining("Write 1234"),
    });
    expect(await isAbsent("bad-cell")).toBe(true);
    const typed = await refusal(add("bad-cell", "a\n1\nx\n", { read: { types: { a: ColumnType.NUMBER } } }));
    expect(typed.message).toBe('Row 2 (line 3), column "a": "x" is not a number.');
  });

  it("of a name as long as the row does not break the answer", async () => {
    const error = await refusal(add("long-name", `{"${"n".repeat(100_000)}":[1]}\n`));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect((error.field ?? "").length).toBeLessThan(300);
  });
});

describe("a preview", () => {
  it("shows the first rows of a version, typed, long texts cut", async () => {
    const long = "好".repeat(500);
    await add("look", `n,t,b\n1.5,${long},true\n,x,false\n3,NA,\n${"4,y,true\n".repeat(200)}`);
    const { columns, rows } = await preview("look");
    expect(columns).toEqual(["n", "t", "b"]);
    expect(rows).toHaveLength(10);
    expect(rows.slice(0, 3)).toEqual([
      [1.5, `${"好".repeat(200)}…`, true],
      [undefined, "x", false],
      [3, undefined, undefined],
    ]);
    expect((await preview("look", 100)).rows).toHaveLength(100);
    expect((await preview("look", 2)).rows).toHaveLength(2);
    expect(await refusal(preview("look", 101))).toMatchObject({ code: "INVALID_ARGUMENT", field: "rows" });
  });

  it("shows an image by name and size", async () => {
    await add("pictures", zipSync({ "a/1.png": pngFile(8, 6), "b/2.png": pngFile(3, 3) }));
    const { rows } = await preview("pictures");
    expect(rows).toEqual([
      [`a/1.png (8×6, ${pngFile(8, 6).length} bytes)`, "a"],
      [`b/2.png (3×3, ${pngFile(3, 3).length} bytes)`, "b"],
    ]);
  });

  it("of rows that are very long shows fewer", async () => {
    const header = Array.from({ length: 4000 }, (_, index) => `c${index}`).join(",");
    const row = Array.from({ length: 4000 }, () => "x".repeat(200)).join(",");
    await add("wide", `${header}\n${`${row}\n`.repeat(20)}`);
    const { rows } = await preview("wide", 20);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toHaveLength(4000);
  });

  it("is for who may read the data; who may not see the dataset learns nothing", async () => {
    await add("private", "a\n1\n");
    const bob = registry.as("user:bob").datasets;
    expect((await bob.getDatasetVersion({ dataset: "private" })).datasetVersion?.rows).toBe(1n);
    expect(await refusal(bob.previewDataset({ dataset: "private" }))).toMatchObject({ code: "PERMISSION_DENIED" });
    const eve = registry.as("user:eve").datasets;
    const hidden = await refusal(eve.previewDataset({ dataset: "private" }));
    const absent = await refusal(eve.previewDataset({ dataset: "absent" }));
    expect([hidden.code, hidden.message.replace("private", "")]).toEqual([
      absent.code,
      absent.message.replace("absent", ""),
    ]);
    expect(hidden.code).toBe("NOT_FOUND");
  });
});

describe("text that is odd", () => {
  it("such as NUL, half characters and emoji in values is kept as well as it can be", async () => {
    const text = '{"a":"x\\u0000y"}\n{"a":"\\ud800"}\n{"a":"x\\u0000y"}\n{"a":"😀"}\n'.repeat(3);
    const made = await add("odd-text", text);
    expect(made.columns[0]?.frequent[0]).toMatchObject({ value: "x\ufffdy", count: 6n });
    expect((await preview("odd-text", 4)).rows).toEqual([["x\0y"], ["\ufffd"], ["x\0y"], ["😀"]]);
  });

  it("in the name of a column is refused", async () => {
    expect(await refusal(add("odd-name", '{"a\\u0000":1}\n'))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await refusal(add("odd-name", '{"\\ud800":1}\n'))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await isAbsent("odd-name")).toBe(true);
  });
});
