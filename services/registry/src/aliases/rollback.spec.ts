import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PastMove, rollbackTarget } from "./rollback.ts";

/** A past written as "1 2 back 4 gone". */
function past(text: string): PastMove[] {
  const moves: PastMove[] = [];
  for (const word of text.split(" ").filter((w) => w !== "")) {
    if (word === "back") moves.push({ toVersion: rollbackTarget(moves) ?? 0n, rollback: true });
    else moves.push({ toVersion: word === "gone" ? 0n : BigInt(word), rollback: false });
  }
  return moves;
}

describe("going back", () => {
  it.each([
    ["", undefined],
    ["1", undefined],
    ["1 2", 1n],
    ["1 2 3", 2n],
    ["1 2 3 back", 1n],
    ["1 2 3 back back", undefined],
    ["1 2 3 back 4", 2n],
    ["1 2 3 back 4 back", 1n],
    ["1 2 1", 2n],
    ["1 2 gone", undefined],
    ["1 2 gone 3", undefined],
    ["1 2 gone 3 4", 3n],
  ])("after %s leads to %s", (text, target) => {
    expect(rollbackTarget(past(text))).toBe(target);
  });

  it("as often as there were moves ends at the first target, whatever the targets were", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 20 }), (targets) => {
        const moves = past(targets.join(" "));
        for (let left = targets.length - 1; left > 0; left -= 1) {
          expect(rollbackTarget(moves)).toBe(BigInt(targets[left - 1] as number));
          moves.push({ toVersion: rollbackTarget(moves) as bigint, rollback: true });
        }
        expect(rollbackTarget(moves)).toBeUndefined();
      }),
    );
  });
});
