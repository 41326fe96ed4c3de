import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UuidV7Maker } from "./uuid-v7.ts";

describe("UUIDv7", () => {
  it("carries its time, version and variant (RFC 9562)", () => {
    const id = new UuidV7Maker(() => 0x0123_4567_89ab).next();
    expect(id).toMatch(/^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("sorts in the order of making, even when the clock stands or goes back", () => {
    const times = fc.array(fc.integer({ min: 0, max: 2 ** 44 }), { minLength: 2, maxLength: 50 });
    fc.assert(
      fc.property(times, (moments) => {
        let index = 0;
        const maker = new UuidV7Maker(() => moments[index++ % moments.length]!);
        const ids = Array.from({ length: 100 }, () => maker.next());
        expect(ids).toEqual([...ids].sort());
        expect(new Set(ids).size).toBe(ids.length);
      }),
    );
  });

  it("goes on in order past the counter of one millisecond", () => {
    const maker = new UuidV7Maker(() => 1);
    const ids = Array.from({ length: 10_000 }, () => maker.next());
    expect(ids).toEqual([...ids].sort());
  });
});
