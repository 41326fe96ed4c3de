import { describe, expect, it } from "vitest";
import { copyInTurns, joinPieces } from "./join-pieces.ts";

const megabyte = 1024 * 1024;

/** How many turns of the event loop others had while something was made. */
async function turnsDuring(make: () => unknown): Promise<number> {
  let turns = 0;
  let isDone = false;
  const count = () => {
    if (isDone) return;
    turns += 1;
    setImmediate(count);
  };
  setImmediate(count);
  await make();
  isDone = true;
  return turns;
}

describe("pieces that are joined", () => {
  it.each([
    [[1, 2], 1],
    [[3 * megabyte, 0, 5 * megabyte + 1, 7], 3],
    [[20 * megabyte, 20 * megabyte], 3],
  ])("are what they were, in their order: %j", async (sizes, step) => {
    const pieces = sizes.map((size, i) => new Uint8Array(size).map((_, at) => (i + at * step) % 251));
    const expected = Buffer.concat(pieces);
    expect(Buffer.compare(await joinPieces([...pieces], expected.length), expected)).toBe(0);
  });

  it("are joined at once when they are small, and the only one is not copied", () => {
    expect(joinPieces([Uint8Array.of(1), Uint8Array.of(2)], 2)).toEqual(Buffer.of(1, 2));
    const only = new Uint8Array(40 * megabyte);
    expect((joinPieces([only], only.length) as Buffer).buffer).toBe(only.buffer);
  });

  it("leave others their turns, however large each of them is", async () => {
    const large = new Uint8Array(40 * megabyte);
    expect(await turnsDuring(() => joinPieces([large, large], 80 * megabyte))).toBeGreaterThanOrEqual(19);
    expect(await turnsDuring(() => copyInTurns(large))).toBeGreaterThanOrEqual(9);
  });

  it("are copied into memory that holds nothing else", async () => {
    const bytes = new Uint8Array(8).subarray(2, 5);
    const copy = await copyInTurns(bytes);
    expect([copy.byteLength, copy.buffer.byteLength]).toEqual([3, 3]);
  });
});
