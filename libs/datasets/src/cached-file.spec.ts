import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cachedFile } from "./cached-file.ts";
import { type DataFile, memoryFile } from "./data-file.ts";
import { openDataset } from "./dataset.ts";

/** A file that writes down what is fetched of it. */
function watched(bytes: Uint8Array): DataFile & { readonly fetched: number[] } {
  const file = memoryFile(bytes);
  const fetched: number[] = [];
  return {
    ...file,
    fetched,
    read: (offset, length, signal) => {
      fetched.push(offset);
      return file.read(offset, length, signal);
    },
  };
}

describe("a file read through a cache of blocks", () => {
  it("gives the bytes of the file wherever and in whatever order they are read", async () => {
    const bytes = randomBytes(1000);
    const range = fc.record({ offset: fc.nat(1100), length: fc.nat(500) });
    const options = fc.record({ blockBytes: fc.integer({ min: 1, max: 300 }), blocks: fc.integer({ min: 1, max: 5 }) });
    await fc.assert(
      fc.asyncProperty(options, fc.array(range, { maxLength: 20 }), async (cache, ranges) => {
        const file = cachedFile(memoryFile(bytes), cache);
        const got = await Promise.all(ranges.map(({ offset, length }) => file.read(offset, length)));
        const wanted = ranges.map(({ offset, length }) => bytes.subarray(offset, offset + length));
        expect(got.map((part) => Buffer.from(part))).toEqual(wanted);
      }),
    );
  });

  it("fetches each block once for a reader that goes front to back, and the next one ahead", async () => {
    const source = watched(randomBytes(1000));
    const file = cachedFile(source, { blockBytes: 100, blocks: 3 });
    await file.read(0, 10);
    expect(source.fetched).toEqual([0]);
    await file.read(100, 10);
    expect(source.fetched).toEqual([0, 100, 200]);
    for (let at = 110; at < 1000; at += 10) await file.read(at, 10);
    expect(source.fetched).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
  });

  it("fetches a block anew after a failure", async () => {
    const bytes = randomBytes(100);
    let broken = true;
    const source = memoryFile(bytes);
    const file = cachedFile({
      ...source,
      read: (offset, length) => (broken ? Promise.reject(new Error("gone")) : source.read(offset, length)),
    });
    await expect(file.read(0, 5)).rejects.toThrow("gone");
    broken = false;
    expect(Buffer.from(await file.read(0, 5))).toEqual(bytes.subarray(0, 5));
  });

  it("reads as a dataset like the file itself, in blocks smaller than its rows", async () => {
    const text = `name,n\n${Array.from({ length: 50 }, (_, row) => `row number ${row},${row}`).join("\n")}\n`;
    const file = cachedFile(memoryFile(Buffer.from(text)), { blockBytes: 7, blocks: 2 });
    await using dataset = await openDataset({ format: "csv", file });
    for await (const batch of dataset.batches({ batchRows: 100 })) {
      expect(batch.rows).toBe(50);
      expect(batch.columns.get("name")?.values[49]).toBe("row number 49");
    }
  });
});
