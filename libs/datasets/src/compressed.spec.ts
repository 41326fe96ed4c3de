import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { type DatasetFormat, type DatasetOptions, detectFormat, memoryFile, profileDataset } from "./index.ts";
import { workbookOf } from "./xlsx/workbook-writer.fixture.ts";

const tables: Readonly<Record<"csv" | "tsv" | "json-lines", string>> = {
  csv: "a,b\n1,x\n2,é\n",
  tsv: "a\tb\n1\tx\n2\té\n",
  "json-lines": '{"a":1,"b":"x"}\n{"a":2,"b":"é"}\n',
};

const packings = [
  ["gzip", (bytes: Uint8Array | string) => gzipSync(bytes)],
  ["Zstandard", (bytes: Uint8Array | string) => zstdCompressSync(bytes)],
] as const;

const profileOf = async (bytes: Uint8Array, options: Partial<DatasetOptions> = {}) => {
  const file = memoryFile(bytes);
  const format = options.format ?? (await detectFormat(file, { encoding: options.encoding }));
  return { format, ...(await profileDataset({ ...options, format, file })) };
};

describe.each(packings)("a text file compressed with %s", (name, pack) => {
  it.each(Object.entries(tables))("is read as what is in it: %s", async (format, text) => {
    const plain = await profileOf(Buffer.from(text));
    expect(await profileOf(pack(text))).toEqual(plain);
    expect(plain).toMatchObject({ format, rows: 2, schema: { columns: [{ name: "a" }, { name: "b" }] } });
  });

  it("is in the encoding that is named", async () => {
    const text = pack(Buffer.from("a;b\n1,5;\xe9\n2,5;e\n", "latin1"));
    const { preview } = await profileOf(text, { encoding: "windows-1252", decimal: "," });
    expect(preview.columns.get("b")).toEqual({ type: "string", values: ["é", "e"] });
    expect(await profileOf(pack(Buffer.from("a,b\n1,2\n", "utf16le")), { encoding: "utf-16le" })).toMatchObject({
      format: "csv",
      rows: 1,
    });
  });

  it("is read in pieces, however it was packed and wherever a row is cut", async () => {
    const rows = Array.from({ length: 60_000 }, (_, i) => `${i},${"x".repeat(i % 50)}`);
    expect(await profileOf(pack(`n,s\n${rows.join("\n")}`))).toMatchObject({ rows: 60_000 });
  });

  it("that unpacks to more than may be is refused by that limit, early", async () => {
    const bomb = pack(Buffer.from("1\n".repeat(20 * 1024 * 1024)));
    const work = profileOf(bomb, { format: "csv", limits: { zipTotalBytes: 1024 * 1024 } });
    await expect(work).rejects.toMatchObject({ reason: "DATASET_LIMIT", field: "zipTotalBytes" });
    await expect(work).rejects.toThrow(/unpacks to at least 1,\d{3},\d{3} bytes; the limit is 1,048,576/);
    await expect(profileOf(pack(Buffer.alloc(64 * 1024 * 1024, 0x31)), { format: "csv" })).rejects.toMatchObject({
      reason: "DATASET_LIMIT",
      field: expect.stringMatching(/^(?:cellBytes|rowBytes)$/),
    });
  });

  it("that is cut off or damaged is refused, and never read in part", async () => {
    const good = pack(`n,s\n${Array.from({ length: 3000 }, (_, i) => `${i},${Math.sin(i)}`).join("\n")}\n`);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 5, max: good.length - 1 }), async (length) => {
        await expect(profileOf(good.subarray(0, length))).rejects.toMatchObject({
          code: "INVALID_ARGUMENT",
          message: expect.stringContaining(`The ${name} file is cut off after`),
        });
      }),
      { numRuns: 40 },
    );
    const broken = Buffer.from(good);
    broken.fill(0xff, 40, 80);
    await expect(profileOf(broken)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", reason: "BAD_FILE" });
  });

  it.each([
    ["Parquet", "parquet", Buffer.from("PAR1\x15\0\0\0PAR1")],
    ["a ZIP archive", "image-zip", Buffer.from(zipSync({ "a/b.png": new Uint8Array(3) }))],
    ["a ZIP archive", "xlsx", workbookOf({ sheets: { S: "" } })],
    ["an Arrow file", "arrow", Buffer.from("ARROW1\0\0…")],
  ] as const)(
    "but holds %s is refused with how to unpack it, whatever format is said: %s",
    async (what, format, bytes) => {
      const refused = {
        message: expect.stringContaining(`The file is ${what}, compressed once more with ${name}`),
        remedy: expect.stringContaining("Unpack it first"),
      };
      await expect(profileOf(pack(bytes))).rejects.toMatchObject(refused);
      for (const text of ["csv", "tsv", "json", "json-lines"] as const)
        await expect(profileOf(pack(bytes), { format: text })).rejects.toMatchObject(refused);
      await expect(profileOf(pack(bytes), { format })).rejects.toMatchObject({
        ...refused,
        message: `The file is compressed with ${name}, and not ${what} as it is.`,
      });
    },
  );

  it("and was compressed before, or is an archive, is refused by what it is", async () => {
    await expect(profileOf(pack(pack(tables.csv)), { format: "csv" })).rejects.toThrow(`compressed with ${name}`);
    const tar = Buffer.alloc(1024);
    tar.write("data.csv");
    tar.write("ustar", 257);
    await expect(profileOf(pack(tar))).rejects.toThrow("The file is a tar archive.");
  });
});

describe("two compressed files in one", () => {
  it("are read one after the other where gzip packed them, as gzip does", async () => {
    const bytes = Buffer.concat([gzipSync("a\n1\n"), gzipSync("2\n")]);
    expect(await profileOf(bytes)).toMatchObject({ rows: 2 });
  });

  it("are refused where Zstandard packed them: only the first would be read", async () => {
    const format: DatasetFormat = "csv";
    const bytes = Buffer.concat([zstdCompressSync("a\n1\n"), zstdCompressSync("2\n")]);
    await expect(profileOf(bytes, { format })).rejects.toMatchObject({
      message: expect.stringContaining("more than one frame"),
      remedy: expect.stringContaining("zstd -d"),
    });
  });
});
