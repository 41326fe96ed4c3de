import { fileURLToPath } from "node:url";
import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { memoryFile } from "./data-file.ts";
import { profileDataset } from "./dataset.ts";
import { detectFormat } from "./detect-format.ts";

const told = (bytes: string | Uint8Array) => detectFormat(memoryFile(Buffer.from(bytes)));

describe("the format of a file", () => {
  it.each([
    ["a,b\n1,2\n", "csv"],
    ["only\n1\n", "csv"],
    ["a;b\n1;2\n", "csv"],
    ["\ufeffa\tb, or c\td\n1\t2\t3\n", "tsv"],
    ['{"a": 1}\n', "json-lines"],
    ['\n  { "a \\" b" : "c', "json-lines"],
    ["{},x\n1,2\n", "csv"],
    ['"{""a"": 1}",b\n', "csv"],
    ["PAR1…", "parquet"],
    ["ORC,Obj\n1,2\n", "csv"],
    ["[x],y\n1,2\n", "csv"],
    ["<5,>5\n1,2\n", "csv"],
  ])("%j is %s", async (text, format) => {
    expect(await told(text)).toBe(format);
  });

  it("of an archive is images", async () => {
    expect(await told(zipSync({ "a/b.png": new Uint8Array(3) }))).toBe("image-zip");
    expect(await told(zipSync({}))).toBe("image-zip");
  });

  it.each([
    ["nothing", Buffer.alloc(0), "empty"],
    ["blank lines", Buffer.from("\n\r\n \n"), "empty"],
    ["gzip", Buffer.from([0x1f, 0x8b, 8, 0]), "gzip"],
    ["UTF-32", Buffer.from([0xff, 0xfe, 0, 0, 65, 0, 0, 0]), "not text"],
    ["one image", Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), "one image"],
    ["a program", Buffer.from("\x7fELF\0\0\0", "latin1"), "not text"],
  ])("that is %s is refused with the reason", async (_, bytes, why) => {
    await expect(told(bytes)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(why),
    });
  });

  it.each([
    ["an ORC file", Buffer.from("ORC\n\x08\x01", "latin1"), "an ORC file", "read_orc"],
    ["a NumPy array", Buffer.from("\x93NUMPY\x01\0", "latin1"), "a NumPy array", "numpy.load"],
    ["an SQLite database", Buffer.from("SQLite format 3\0", "latin1"), "an SQLite database", "Export"],
    ["a workbook of old", Buffer.from("\xd0\xcf\x11\xe0\xa1", "latin1"), "an old Excel workbook", "read_excel"],
    ["a page", Buffer.from("\ufeff\n<!DOCTYPE html><html><table>"), "an HTML page", "read_html"],
    ["XML", Buffer.from('<?xml version="1.0"?><rows/>'), "XML", "Save the table as CSV"],
  ])("that is %s is called what it is, whatever format is said", async (_, bytes, what, remedy) => {
    const refused = {
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(what),
      remedy: expect.stringContaining(remedy),
    };
    await expect(told(bytes)).rejects.toMatchObject(refused);
    for (const format of ["csv", "json-lines", "json"] as const) {
      await expect(profileDataset({ format, file: memoryFile(bytes) })).rejects.toMatchObject(refused);
    }
  });

  it.each([
    ["a sheet of LibreOffice", ["mimetype", "content.xml"], "an OpenDocument file", "Save the sheet as CSV"],
    ["arrays", ["x.npy", "y.npy"], "NumPy arrays (.npz)", "numpy.load"],
    ["a packed table", ["data/table.csv"], 'a ZIP archive of "data/table.csv"', "Unpack it"],
    ["a packed Feather file", ["t.feather"], 'a ZIP archive of "t.feather"', "Unpack it"],
    ["a table that is packed twice", ["t.csv.gz"], 'a ZIP archive of "t.csv.gz"', "Unpack it"],
    ["a packed model", ["model.onnx", "model.yaml"], "a packed model", "aimass models push"],
  ])("that is an archive of %s is called what it is", async (_, names, what, remedy) => {
    const file = memoryFile(zipSync(Object.fromEntries(names.map((name) => [name, new Uint8Array(3)]))));
    await expect(profileDataset({ format: await detectFormat(file), file })).rejects.toMatchObject({
      message: expect.stringContaining(what),
      remedy: expect.stringContaining(remedy),
    });
  });

  it("of Parquet without rows is refused for that", async () => {
    const path = fileURLToPath(new URL("./parquet/fixtures/pyarrow-no-rows.parquet", import.meta.url));
    await expect(profileDataset({ format: "parquet", file: path })).rejects.toMatchObject({
      message: "The Parquet file has no rows.",
      remedy: "Upload a file with at least one row.",
    });
  });
});
