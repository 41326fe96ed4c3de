import { AimassError } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { type DatasetOptions, detectFormat, memoryFile, openDataset, profileDataset, valueAt } from "../index.ts";

type Told = Omit<DatasetOptions, "format" | "file">;

/** What a profile says, and the rows that are read by its schema, as a version is. */
async function tableOf(bytes: Uint8Array | string, told: Told = {}) {
  const file = () => memoryFile(Buffer.from(bytes));
  const format = await detectFormat(file());
  const { schema, warnings } = await profileDataset({ format, file: file(), ...told });
  await using dataset = await openDataset({ format, file: file(), schema });
  const rows: unknown[][] = [];
  for await (const { columns, rows: count } of dataset.batches({ batchRows: 2 })) {
    for (let row = 0; row < count; row++) rows.push([...columns.values()].map((column) => valueAt(column, row)));
  }
  return { names: schema.columns.map(({ name }) => name), rows, warnings, schema };
}

async function refusal(bytes: Uint8Array | string, told: Told = {}): Promise<AimassError> {
  const error = await tableOf(bytes, told).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(AimassError);
  return error as AimassError;
}

describe("what stands between cells", () => {
  it.each([";", "|", "\t"])("is found where header and rows agree, and said: %j", async (sign) => {
    const { rows, warnings, schema } = await tableOf(`a${sign}b\n"x${sign}y"${sign}1\nz${sign}2\n`);
    expect(rows).toEqual([
      [`x${sign}y`, 1],
      ["z", 2],
    ]);
    if (sign === "\t") return;
    expect(schema.delimiter).toBe(sign);
    expect(warnings.join()).toContain(`The cells are taken to be separated by "${sign}"`);
  });

  it("is what Excel's first line says", async () => {
    const { names, rows, warnings, schema } = await tableOf("sep=;\r\nname;price\r\nMaier, Hans;3\r\n");
    expect({ names, rows, warnings, delimiter: schema.delimiter }).toMatchObject({
      ...{ names: ["name", "price"], rows: [["Maier, Hans", 3]], delimiter: ";" },
    });
    expect(warnings.filter((warning) => warning.includes("separated by"))).toEqual([]);
    expect((await refusal('sep=;\r\na;b\r\n1;"2\r\n')).message).toContain("(line 3)");
    for (const sign of ["§", "😀"]) {
      expect((await refusal(`sep=${sign}\r\na${sign}b\r\n1${sign}2\r\n`)).message).toBe(
        `The first line of the file says that "${sign}" stands between cells.`,
      );
      const { names } = await tableOf(`sep=${sign}\r\na;b\r\n1;2\r\n`, { delimiter: ";" });
      expect(names).toEqual(["a", "b"]);
    }
  });

  it("is a comma where the header has one, and is not guessed where rows disagree", async () => {
    expect((await tableOf("a,b;c\n1,2;3\n")).names).toEqual(["a", "b;c"]);
    expect((await refusal("a;b\n1;2\n3\n")).message).toContain('The header has one column, "a;b".');
    expect((await tableOf("a\n1;2\n")).names).toEqual(["a"]);
  });
});

describe("numbers of a German spreadsheet", () => {
  const text = "name;price;sum\nA;1,5;1.234,50\nB;2;12,00\nC;;1.000.000,25\n";

  it("are text with a word of what to do, unless people say how they are written", async () => {
    const { rows, warnings } = await tableOf("name;price\nA;1,5\nB;2,25\n");
    expect(rows[0]).toEqual(["A", "1,5"]);
    expect(warnings.join()).toContain('"1,5" in row 1 has a decimal comma. Read it as numbers: --decimal ,');
  });

  it("are numbers with --decimal , and --thousands .", async () => {
    const { rows } = await tableOf(text, { decimal: ",", thousands: "." });
    expect(rows).toEqual([
      ["A", 1.5, 1234.5],
      ["B", 2, 12],
      ["C", undefined, 1_000_000.25],
    ]);
    const types = new Map([["sum", "number"]] as const);
    expect((await tableOf(text, { decimal: ",", thousands: ".", types })).rows[2]).toEqual([
      "C",
      undefined,
      1_000_000.25,
    ]);
  });

  it("do not take thousands for decimals: 1.234 is none where decimals follow a comma", async () => {
    expect((await tableOf("a;b\n1.234;1,5\n", { decimal: "," })).rows).toEqual([["1.234", 1.5]]);
  });

  it("keep their digits: whole ones beyond 2^53 are text", async () => {
    expect((await tableOf("a;b\n9.007.199.254.740.993;1\n", { decimal: ",", thousands: "." })).rows[0]?.[0]).toBe(
      "9.007.199.254.740.993",
    );
  });

  it.each([
    [" ", "1\u202f234,5"],
    [" ", "1 234,5"],
    ["'", "1'234,5"],
  ])("have thousands between %j", async (thousands, cell) => {
    expect((await tableOf(`a;b\n${cell};1\n`, { decimal: ",", thousands })).rows).toEqual([[1234.5, 1]]);
  });
});

describe("text that is not UTF-8", () => {
  const text = "name,größe\nMüller,1\n";

  it("is refused with a word of what to do, unless its encoding is named", async () => {
    const bytes = Buffer.from(text, "latin1");
    expect((await refusal(bytes)).remedy).toContain("--encoding windows-1252");
    const { names, rows, schema } = await tableOf(bytes, { encoding: "windows-1252" });
    expect({ names, rows, encoding: schema.encoding }).toEqual({
      ...{ names: ["name", "größe"], rows: [["Müller", 1]], encoding: "windows-1252" },
    });
  });

  it("is GBK where people say so, across the blocks in which it is read", async () => {
    const lines = Buffer.concat(
      Array.from({ length: 100_000 }, () => Buffer.from([0xd6, 0xd0, 0x61, 0x2c, 0x31, 0x0a])),
    );
    const { rows } = await tableOf(Buffer.concat([Buffer.from("a,b\n"), lines]), { encoding: "gbk" });
    expect(rows).toHaveLength(100_000);
    expect(rows.every(([cell]) => cell === "中a")).toBe(true);
  });

  it.each(["utf16le", "utf16be"])("is UTF-16 where its byte order mark says so: %s", async (order) => {
    const bytes = Buffer.from(`\ufeff${text}`, "utf16le");
    const { names, rows } = await tableOf(order === "utf16le" ? bytes : bytes.swap16());
    expect({ names, rows }).toEqual({ names: ["name", "größe"], rows: [["Müller", 1]] });
  });

  it("is refused where it is not of the encoding that is named", async () => {
    expect((await refusal(Buffer.from("a,b\n\xff,1\n", "latin1"), { encoding: "gbk" })).message).toContain(
      "is not gbk",
    );
    expect((await refusal("a,b\n1,2\n", { encoding: "utf-99" })).message).toBe('There is no encoding "utf-99".');
  });

  it("is JSON Lines too", async () => {
    const { rows } = await tableOf(Buffer.from('{"a":"Müller"}\n', "latin1"), { encoding: "latin1" });
    expect(rows).toEqual([["Müller"]]);
  });
});
