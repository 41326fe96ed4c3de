import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { memoryFile } from "../data-file.ts";
import { openDataset } from "../dataset.ts";
import { decompress } from "./codecs.ts";

/** A block of LZ4 of literals alone. */
const literals = (text: string) => Buffer.concat([Buffer.from([text.length << 4]), Buffer.from(text)]);

function framed(...texts: readonly string[]): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const sizes = Buffer.alloc(8);
      sizes.writeUInt32BE(text.length, 0);
      sizes.writeUInt32BE(literals(text).length, 4);
      return [sizes, literals(text)];
    }),
  );
}

describe("the codec LZ4 of Parquet", () => {
  it.each([
    ["one bare block", literals("hello"), "hello"],
    ["one block behind its sizes", framed("hello"), "hello"],
    ["blocks behind their sizes", framed("hello", " ", "world"), "hello world"],
    ["nothing", Buffer.alloc(0), ""],
  ])("unpacks %s", (_, packed, text) => {
    expect(Buffer.from(decompress("LZ4", packed, text.length)).toString()).toBe(text);
  });

  it.each([
    ["another size", framed("hello"), 4],
    ["a block that is cut off", framed("hello").subarray(0, 10), 5],
    ["a size beyond the page", Buffer.concat([Buffer.from([255, 255, 255, 255, 0, 0, 0, 1, 0])]), 5],
  ])("refuses %s", (_, packed, size) => {
    expect(() => decompress("LZ4", packed, size)).toThrow();
  });

  it("is read as fastparquet writes it", async () => {
    const file = memoryFile(await readFile(new URL("./fixtures/fastparquet-lz4.parquet", import.meta.url)));
    const dataset = await openDataset({ format: "parquet", file });
    for await (const { columns } of dataset.batches({ batchRows: 100 })) {
      expect(columns.get("x")?.values).toEqual(Float64Array.from({ length: 100 }, (_, i) => 1.5 + (i % 2)));
    }
  });
});
