import { readFile } from "node:fs/promises";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { AimassError } from "@aimass/core";
import encodeJpeg, { init } from "@jsquash/jpeg/encode.js";
import fc from "fast-check";
import { unzipSync, zipSync } from "fflate";
import { parquetWriteBuffer } from "hyparquet-writer";
import { beforeAll, describe, expect, it } from "vitest";
import { pngOf } from "./images/png-writer.fixture.ts";
import { type DatasetFormat, decodeImage, defaultLimits, memoryFile, profileDataset } from "./index.ts";
import { workbookOf } from "./xlsx/workbook-writer.fixture.ts";

/** Damage to a file: bytes overwritten, a piece taken out, a piece put in twice. */
const damage = fc.record({
  writes: fc.array(
    fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.oneof(fc.nat(255), fc.constantFrom(0, 0x7f, 0x80, 0xff))),
    { maxLength: 8 },
  ),
  cut: fc.option(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(40)), { freq: 3 }),
  again: fc.option(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(40)), { freq: 4 }),
});

function damaged(
  good: Uint8Array,
  { writes, cut, again }: typeof damage extends fc.Arbitrary<infer T> ? T : never,
): Uint8Array {
  let bytes = Buffer.from(good);
  for (const [where, value] of writes) bytes[Math.floor(where * (bytes.length - 1))] = value;
  if (cut)
    bytes = Buffer.concat([bytes.subarray(0, cut[0] * bytes.length), bytes.subarray(cut[0] * bytes.length + cut[1])]);
  if (again) {
    const at = Math.floor(again[0] * bytes.length);
    bytes = Buffer.concat([bytes.subarray(0, at + again[1]), bytes.subarray(at)]);
  }
  return bytes;
}

const limits = { cellBytes: 1e6, parquetPageBytes: 4e6, parquetPageValues: 1e6, rows: 1e6, imagePixels: 1e6 };

/** Runs work that may only succeed or refuse; five seconds are forever here. */
async function endsWell(work: () => Promise<unknown>): Promise<void> {
  const startedAt = performance.now();
  await work().catch((error: unknown) => {
    if (!(error instanceof AimassError) || error.code !== "INVALID_ARGUMENT") throw error;
    expect(error.message).not.toMatch(/undefined|\[object|NaN/);
  });
  expect(performance.now() - startedAt).toBeLessThan(5000);
}

async function fuzz(format: DatasetFormat, good: Uint8Array, numRuns: number): Promise<void> {
  const profile = (bytes: Uint8Array) => profileDataset({ format, file: memoryFile(bytes), limits });
  await profile(good);
  await fc.assert(
    fc.asyncProperty(damage, (how) => endsWell(() => profile(damaged(good, how)))),
    { numRuns },
  );
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), (bytes) => endsWell(() => profile(bytes))),
    { numRuns: numRuns / 4 },
  );
}

const csvText = 'name,"a ""b""",n,ok\r\nAnn,"x\ny",1.5e3,true\r\n"Bo, b",中,-7,false\r\n,,NA,true\r\n'.repeat(1);
/** The same archive, without compression: damage then reaches what is in it, which the sums of its files would catch otherwise. */
const stored = (zip: Uint8Array) => zipSync(unzipSync(zip), { level: 0 });

const png = pngOf({
  width: 9,
  height: 7,
  colour: 3,
  depth: 4,
  samples: Array.from({ length: 63 }, (_, i) => i % 16),
  palette: new Array(48).fill(9),
  interlaced: true,
  filter: 4,
});
let jpeg: Uint8Array;

function parquet(codec: "SNAPPY" | "ZSTD" | "UNCOMPRESSED"): Uint8Array {
  const rows = Array.from({ length: 60 }, (_, i) => i);
  const columnData = [
    { name: "n", data: rows.map((i) => (i % 9 ? i / 3 : null)), type: "DOUBLE" as const },
    { name: "i", data: rows.map((i) => i * i), type: "INT32" as const, encoding: "DELTA_BINARY_PACKED" as const },
    { name: "s", data: rows.map((i) => `word ${i % 5}`), type: "STRING" as const },
    { name: "p", data: rows.map((i) => "x".repeat(i)), type: "STRING" as const, encoding: "DELTA_BYTE_ARRAY" as const },
    { name: "b", data: rows.map((i) => i % 2 === 0), type: "BOOLEAN" as const, encoding: "RLE" as const },
    { name: "t", data: rows.map((i) => new Date(i * 1e9)), type: "TIMESTAMP" as const },
  ];
  const compressors = { ZSTD: (bytes: Uint8Array) => zstdCompressSync(bytes) };
  return new Uint8Array(parquetWriteBuffer({ columnData, codec, compressors, rowGroupSize: 25 }));
}

beforeAll(async () => {
  const wasm = await readFile(new URL(import.meta.resolve("@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm")));
  await init({ wasmBinary: wasm } as Parameters<typeof init>[0]);
  const data = Uint8ClampedArray.from({ length: 24 * 16 * 4 }, (_, i) => (i * 37) & 255);
  jpeg = new Uint8Array(await encodeJpeg({ data, width: 24, height: 16 } as Parameters<typeof encodeJpeg>[0]));
});

describe("a damaged file is read or refused, and always in time", () => {
  it("CSV", () => fuzz("csv", Buffer.from(csvText), 1500));
  it("TSV", () => fuzz("tsv", Buffer.from(csvText.replaceAll(",", "\t")), 500));
  it("CSV in gzip", () => fuzz("csv", gzipSync(csvText), 500));
  it("CSV in Zstandard", () => fuzz("csv", zstdCompressSync(csvText), 500));
  it("JSON Lines", () =>
    fuzz("json-lines", Buffer.from('{"a":1.5,"b":"x\\n\\u00e9","c":true}\n{"a":-2,"c":null}\n{"b":"{}[]:"}\n'), 1500));
  it.each([
    ["records", '[{"a":1.5,"b":"x\\n","c":true},{"a":-2,"c":null},{"b":"{}[]:"}]'],
    ["split", '{"columns":["a","b"],"index":[0,1],"data":[[1,"x,"],[null,"]"]]}'],
    ["columns", '{"a":{"0":1,"1":2},"b":{"0":"x","1":null}}'],
    ["lists", '{"a":[1,2],"b":["x","{"]}'],
  ])("JSON as %s", (_, text) => fuzz("json", Buffer.from(text), 600));
  it("a workbook", async () => {
    const good = await readFile(new URL("./xlsx/fixtures/openpyxl-sheets.xlsx", import.meta.url));
    await fuzz("xlsx", good, 800);
    const cells = '<row r="1"><c r="A1" t="s"><v>0</v></c></row><row r="2"><c r="A2" s="1"><v>4e4</v></c></row>';
    await fuzz("xlsx", stored(workbookOf({ sheets: { S: cells }, strings: ["<t>a</t>"], formats: ["d"] })), 800);
  }, 60_000);
  it.each(["pyarrow-uncompressed.feather", "pyarrow-lz4.feather", "polars-views.arrow"])(
    "Arrow: %s",
    async (name) => fuzz("arrow", await readFile(new URL(`./arrow/fixtures/${name}`, import.meta.url)), 800),
    60_000,
  );
  it("Parquet, plain", () => fuzz("parquet", parquet("UNCOMPRESSED"), 1500), 60_000);
  it("Parquet, snappy", () => fuzz("parquet", parquet("SNAPPY"), 1500), 60_000);
  it("Parquet, zstd", () => fuzz("parquet", parquet("ZSTD"), 500), 60_000);
  it("Parquet of pyarrow", async () => {
    const good = await readFile(new URL("./parquet/fixtures/pyarrow-lz4-pages-v2.parquet", import.meta.url));
    await fuzz("parquet", good, 1500);
  }, 120_000);
  it("a ZIP of images", () => fuzz("image-zip", zipSync({ "a/1.png": png, "b/2.jpg": jpeg }), 1000));

  it("PNG", () =>
    fc.assert(
      fc.asyncProperty(damage, (how) =>
        endsWell(() => decodeImage(damaged(png, how), "x", { ...defaultLimits, ...limits })),
      ),
      { numRuns: 1000 },
    ));

  it(
    "JPEG",
    () =>
      fc.assert(
        fc.asyncProperty(damage, (how) =>
          endsWell(() => decodeImage(damaged(jpeg, how), "x", { ...defaultLimits, ...limits })),
        ),
        { numRuns: 600 },
      ),
    60_000,
  );
});
