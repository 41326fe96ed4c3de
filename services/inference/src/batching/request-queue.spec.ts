import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RequestQueue, type Waiting } from "./request-queue.ts";

interface Item extends Waiting {
  readonly name: number;
}

const item = (name: number, over: Partial<Item> = {}): Item => ({
  name,
  batchKey: "k",
  samples: 1,
  deadline: Infinity,
  priority: 0,
  ...over,
});

function filled(items: readonly Item[], limit = 1000): RequestQueue<Item> {
  const queue = new RequestQueue<Item>(limit);
  for (const i of items) queue.push(i);
  return queue;
}

const never = () => {
  throw new Error("nothing should expire here");
};
const names = (items: readonly Item[]) => items.map((i) => i.name);

describe("a request queue", () => {
  it("refuses what comes beyond its limit", () => {
    const queue = filled([item(1), item(2)], 2);
    expect(queue.push(item(3))).toBe(false);
    expect(queue.length).toBe(2);
  });

  it("takes as many requests as the largest batch holds, oldest first", () => {
    const queue = filled([item(1), item(2), item(3)]);
    expect(names(queue.takeBatch(2, 0, never))).toEqual([1, 2]);
    expect(names(queue.takeBatch(2, 0, never))).toEqual([3]);
  });

  it("leaves requests of another shape for a later batch, in their order", () => {
    const queue = filled([item(1), item(2, { batchKey: "other" }), item(3), item(4, { batchKey: "other" })]);
    expect(names(queue.takeBatch(8, 0, never))).toEqual([1, 3]);
    expect(names(queue.takeBatch(8, 0, never))).toEqual([2, 4]);
  });

  it("takes what was put back first, in its priority, however full it is", () => {
    const queue = filled([item(3), item(4, { priority: 1 })], 2);
    queue.putBack([item(1), item(2, { priority: 1 })]);
    expect(names(queue.takeBatch(8, 0, never))).toEqual([1, 3, 2, 4]);
  });

  it("takes those of a higher priority first, and in each those that came first", () => {
    const queue = filled([5, 3, 5, 1, 3, 1].map((priority, name) => item(name, { priority })));
    expect(names(queue.takeBatch(3, 0, never))).toEqual([3, 5, 1]);
    queue.push(item(6, { priority: 4 }));
    queue.push(item(7, { priority: 1 }));
    expect(names(queue.takeBatch(8, 0, never))).toEqual([7, 4, 6, 0, 2]);
  });

  it("runs a request alone that may not share, or that has more rows than a batch", () => {
    const queue = filled([
      item(1, { batchKey: undefined }),
      item(2, { batchKey: undefined }),
      item(3, { samples: 99 }),
      item(4),
    ]);
    for (const name of [1, 2, 3, 4]) expect(names(queue.takeBatch(8, 0, never))).toEqual([name]);
  });

  it("lets a small request go before a large one that does not fit the same batch", () => {
    const queue = filled([item(1, { samples: 5 }), item(2, { samples: 5 }), item(3, { samples: 3 })]);
    expect(names(queue.takeBatch(8, 0, never))).toEqual([1, 3]);
    expect(names(queue.takeBatch(8, 0, never))).toEqual([2]);
  });

  it("drops requests whose deadline has passed before they run", () => {
    const queue = filled([item(1, { deadline: 5 }), item(2), item(3, { deadline: 5 }), item(4)]);
    const expired: number[] = [];
    expect(names(queue.takeBatch(8, 5, (i) => expired.push(i.name)))).toEqual([2, 4]);
    expect(expired).toEqual([1, 3]);
  });

  it("removes what a sweep asks for and keeps the rest in order", () => {
    const queue = filled([item(1), item(2), item(3)]);
    expect(names(queue.remove((i) => i.name === 2))).toEqual([2]);
    expect(names(queue.takeBatch(8, 0, never))).toEqual([1, 3]);
  });

  it("hands out every request exactly once, keeps order within a shape and never overfills a batch", () => {
    const anyItems = fc.array(
      fc.record({ batchKey: fc.constantFrom("a", "b", undefined), samples: fc.integer({ min: 1, max: 12 }) }),
    );
    fc.assert(
      fc.property(anyItems, fc.integer({ min: 1, max: 8 }), (raw, max) => {
        const items = raw.map((r, name) => item(name, r));
        const queue = filled(items);
        const seen: Item[] = [];
        while (queue.length > 0) {
          const batch = queue.takeBatch(max, 0, never);
          const rows = batch.reduce((sum, i) => sum + i.samples, 0);
          expect(batch.length === 1 || rows <= max).toBe(true);
          expect(new Set(batch.map((i) => i.batchKey)).size).toBe(1);
          if (batch[0]?.batchKey === undefined) expect(batch.length).toBe(1);
          seen.push(...batch);
        }
        expect(names(seen).sort((a, b) => a - b)).toEqual(names(items));
      }),
    );
  });
});
