import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Json, readTree } from "./json.ts";
import { JsonReader } from "./json-reader.ts";

const read = (text: string | Uint8Array) => {
  const reader = new JsonReader(Buffer.from(text));
  const tree = readTree(reader, "it");
  reader.finish();
  return tree;
};
/** Whole numbers beyond 2^53 as JSON.parse has them. */
const rounded = (tree: Json): unknown =>
  JSON.parse(JSON.stringify(tree, (_, value) => (typeof value === "bigint" ? Number(value) : value)));
const isJson = (text: string) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe("reading JSON from its bytes", () => {
  it("gives what JSON.parse gives, for any value", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5, stringUnit: "binary" }), fc.constantFrom(0, 1, "\t"), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        fc.pre(text.isWellFormed());
        expect(rounded(read(text))).toEqual(rounded(JSON.parse(text)));
      }),
    );
  });

  it("takes what JSON.parse takes and refuses what it refuses, whatever was damaged", () => {
    const cut = fc.tuple(
      fc.nat(200),
      fc.nat(3),
      fc.constantFrom("", ",", "]", "}", '"', "\\", "0", "-", ".", "e", " ", ":", "\u0007", "1"),
    );
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), cut, (json, [at, length, put]) => {
        const text = json.slice(0, at) + put + json.slice(at + length);
        fc.pre(text.isWellFormed() && !/NaN|Infinity/.test(text));
        if (isJson(text)) expect(rounded(read(text))).toEqual(rounded(JSON.parse(text)));
        else expect(() => read(text)).toThrow(/not the JSON of a request/);
      }),
      { numRuns: 3000 },
    );
  });

  it("reads numbers to the nearest double, and whole ones exactly", () => {
    const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map(String);
    const digits = fc
      .tuple(
        fc.stringMatching(/^-?[1-9]\d{0,24}$/),
        fc.stringMatching(/^(\.\d{1,20})?$/),
        fc.stringMatching(/^([eE][+-]?\d{1,3})?$/),
      )
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.oneof(double, digits), (text) => {
        const reader = new JsonReader(Buffer.from(`[${text}]`));
        reader.enter("list");
        reader.readNumber();
        expect(reader.number).toBe(Number(text) === 0 ? reader.number : Number(text));
        if (/^-?\d+$/.test(text)) expect(reader.wholeNumber()).toBe(BigInt(text));
      }),
      { numRuns: 5000 },
    );
  });

  it("passes over a byte order mark, and keeps names that are special to JavaScript", () => {
    expect(read(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from("[1]")]))).toEqual([1]);
    expect(Object.keys(read('{"__proto__":1,"constructor":2}') as object)).toEqual(["__proto__", "constructor"]);
  });
});
