import { describe, expect, it } from "vitest";
import { BoundedCache } from "./bounded-cache.ts";

describe("BoundedCache", () => {
  it("forgets a value after its last moment", () => {
    const cache = new BoundedCache<number>(2);
    cache.set("a", 1, { fromMs: 50, untilMs: 100 });
    expect(cache.get("a", 100)).toBe(1);
    expect(cache.get("a", 101)).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it("does not give a value before its first moment, as on a clock that was set back", () => {
    const cache = new BoundedCache<number>(2);
    cache.set("a", 1, { fromMs: 50, untilMs: 100 });
    expect(cache.get("a", 49)).toBeUndefined();
  });

  it("never holds more than its limit, and keeps what is in use", () => {
    const cache = new BoundedCache<number>(10);
    for (let i = 0; i < 1000; i++) {
      cache.set(`key ${i}`, i, { fromMs: 0, untilMs: 1 });
      expect(cache.get("key 0", 1)).toBe(0);
      expect(cache.size).toBeLessThanOrEqual(10);
    }
    expect(cache.get("key 999", 1)).toBe(999);
    expect(cache.get("key 900", 1)).toBeUndefined();
  });
});
