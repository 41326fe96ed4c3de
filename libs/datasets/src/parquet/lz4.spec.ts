import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lz4Decompress } from "./lz4.ts";
import { snappyDecompress } from "./snappy.ts";

describe("LZ4 blocks", () => {
  it("unpack literals and copies that overlap themselves", () => {
    // "ab", then 8 bytes from 2 back, then the last literal "c".
    expect(Buffer.from(lz4Decompress(Uint8Array.of(0x24, 0x61, 0x62, 2, 0, 0x10, 0x63), 11)).toString()).toBe(
      "ababababab" + "c",
    );
  });

  it("unpack literals longer than fifteen bytes", () => {
    const text = Buffer.from("x".repeat(300));
    const packed = Buffer.concat([Buffer.from([0xf0, 255, 300 - 15 - 255]), text]);
    expect(Buffer.from(lz4Decompress(packed, 300))).toEqual(text);
  });
});

describe("packed bytes of any kind", () => {
  it("unpack to at most the size asked for, or are refused, and always end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer({ min: 0, max: 4096 }), (packed, size) => {
        for (const unpack of [lz4Decompress, snappyDecompress]) {
          try {
            expect(unpack(packed, size).byteLength).toBeLessThanOrEqual(size);
          } catch (error) {
            expect((error as Error).message).toMatch(/LZ4|Snappy/);
          }
        }
      }),
      { numRuns: 5000 },
    );
  });
});
