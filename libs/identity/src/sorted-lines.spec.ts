import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareUtf8, SortedLines } from "./sorted-lines.ts";

describe("the hash of sorted lines", () => {
  it("is that of the lines in order, whatever was added, changed and removed before, over many blocks", () => {
    const steps = fc.array(fc.record({ key: fc.nat(9000), remove: fc.boolean() }), { maxLength: 60 });
    fc.assert(
      fc.property(fc.nat(5000), steps, (size, changes) => {
        const lines = new Map(Array.from({ length: size }, (_, i) => [`key/${i * 2}`, Buffer.from(`line ${i};`)]));
        const sorted = new SortedLines(lines.keys(), (key) => lines.get(key) as Buffer);
        sorted.sha256();
        for (const { key: number, remove } of changes) {
          const key = `key/${number}`;
          if (remove) {
            if (lines.delete(key)) sorted.remove(key);
            continue;
          }
          if (lines.has(key)) sorted.touch(key);
          else sorted.add(key);
          lines.set(key, Buffer.from(`changed ${number};`));
        }
        expect(Buffer.from(sorted.sha256())).toEqual(hashOf(lines));
      }),
      { numRuns: 25 },
    );
  });

  it("holds while a state grows from nothing, block by block, and shrinks to nothing", () => {
    const lines = new Map<string, Buffer>();
    const sorted = new SortedLines([], (key) => lines.get(key) as Buffer);
    for (let i = 0; i < 5000; i++) {
      const key = `key/${(i * 7919) % 5000}`;
      lines.set(key, Buffer.from(`${key};`));
      sorted.add(key);
      if (i % 499 === 0) expect(Buffer.from(sorted.sha256())).toEqual(hashOf(lines));
    }
    for (const key of [...lines.keys()]) {
      lines.delete(key);
      sorted.remove(key);
      if (lines.size % 499 === 0) expect(Buffer.from(sorted.sha256())).toEqual(hashOf(lines));
    }
  });
});

describe("compareUtf8()", () => {
  it("orders as the UTF-8 bytes do", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
        expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
    expect(compareUtf8("\u{1f600}", "\uffff")).toBeGreaterThan(0);
  });
});

/** The hash as its definition reads. */
function hashOf(lines: ReadonlyMap<string, Buffer>): Buffer {
  const ordered = [...lines].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return createHash("sha256")
    .update(Buffer.concat(ordered.map(([, line]) => line)))
    .digest();
}
