import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyedState, keyedDigest } from "./keyed-state.ts";

const entries = fc.dictionary(fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 8 }), { maxKeys: 12 });
const stateOf = (content: Record<string, Uint8Array>) => new KeyedState(Object.entries(content));

/** The digest as its definition reads. */
function naiveDigest(content: Record<string, Uint8Array>): Buffer {
  const parts = Object.entries(content)
    .map(([key, bytes]) => ({ key: Buffer.from(key), sha256: createHash("sha256").update(bytes).digest() }))
    .sort((a, b) => Buffer.compare(a.key, b.key))
    .map(({ key, sha256 }) => Buffer.concat([key, Buffer.from([0]), sha256]));
  return createHash("sha256").update(Buffer.concat(parts)).digest();
}

describe("KeyedState", () => {
  it("has the digest its definition says, in whatever order entries came", () => {
    fc.assert(
      fc.property(entries, (content) => {
        const expected = naiveDigest(content);
        expect(Buffer.from(stateOf(content).digest())).toEqual(expected);
        expect(Buffer.from(keyedDigest(Object.entries(content).reverse()))).toEqual(expected);
      }),
    );
  });

  it("gets from any state to any other by their difference, and back by what apply() returns", () => {
    fc.assert(
      fc.property(entries, entries, (before, after) => {
        const state = stateOf(before);
        state.digest();
        const undo = state.apply(KeyedState.diff(state, stateOf(after)));
        expect(Buffer.from(state.digest())).toEqual(naiveDigest(after));
        expect(new Map(state)).toEqual(new Map(Object.entries(after)));
        state.apply(undo);
        expect(Buffer.from(state.digest())).toEqual(naiveDigest(before));
      }),
    );
  });

  it("has an empty difference to itself", () => {
    const state = stateOf({ a: new Uint8Array([1]) });
    expect(KeyedState.diff(state, stateOf({ a: new Uint8Array([1]) }))).toEqual({ changed: new Map(), removed: [] });
  });
});
