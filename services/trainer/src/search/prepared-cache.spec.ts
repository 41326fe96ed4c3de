import { describe, expect, it } from "vitest";
import type { PreparedRows } from "../recipes/candidate.ts";
import { PreparedCache } from "./prepared-cache.ts";

/** A cache for 100 bytes, and what was made and went. */
function open() {
  const events: string[] = [];
  const cache = new PreparedCache(100);
  const use = async (name: string, bytes: number) => {
    const make = async () => {
      events.push(`+${name}`);
      const gone = async () => void events.push(`-${name}`);
      return { rows: { bytes }, [Symbol.asyncDispose]: gone } as unknown as PreparedRows;
    };
    await using loan = await cache.borrow(name, make);
    expect(loan.prepared.rows.bytes).toBe(bytes);
  };
  return { cache, events, use };
}

describe("rows of earlier trials", () => {
  it("are made once while they fit; those used longest ago go first", async () => {
    const { events, use, cache } = open();
    for (const name of ["a", "b", "a", "c", "a", "b"]) await use(name, 40);
    expect(events.join(" ")).toBe("+a +b +c -b +b -c");
    await cache[Symbol.asyncDispose]();
    expect(events.slice(-2)).toEqual(["-a", "-b"]);
  });

  it("go at once when they are larger than all that is kept, or lie on disk, and push nothing out", async () => {
    const { events, use } = open();
    await use("a", 60);
    await use("large", 101);
    await use("disk", 0);
    await use("a", 60);
    expect(events.join(" ")).toBe("+a +large -large +disk -disk");
  });

  it("make room for as many as it takes", async () => {
    const { events, use } = open();
    for (const name of ["a", "b", "c"]) await use(name, 30);
    await use("d", 100);
    expect(events.join(" ")).toBe("+a +b +c +d -a -b -c");
  });

  it("that could not be made leave nothing behind", async () => {
    const { cache, events, use } = open();
    await expect(cache.borrow("a", () => Promise.reject(new Error("no rows")))).rejects.toThrow("no rows");
    await use("a", 10);
    expect(events).toEqual(["+a"]);
  });
});
