import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EvictionOrder } from "./eviction-order.ts";

function orderOf(...uses: readonly (readonly [item: string, cost: number, size: number])[]): EvictionOrder<string> {
  const order = new EvictionOrder<string>();
  for (const [item, cost, size] of uses) order.use(item, cost, size);
  return order;
}

const anyOne = () => true;

describe("an order of eviction", () => {
  it("puts aside what costs least for its size first", () => {
    const order = orderOf(["dear and small", 10, 1], ["cheap and large", 1, 10], ["dear and large", 10, 10]);
    expect([order.take(anyOne), order.take(anyOne), order.take(anyOne)]).toEqual([
      "cheap and large",
      "dear and large",
      "dear and small",
    ]);
    expect(order.take(anyOne)).toBeUndefined();
  });

  it("among equals puts aside what was used longest ago, though it was used often before", () => {
    const order = orderOf(["old", 1, 1], ["old", 1, 1], ["first to go", 0.5, 1]);
    expect(order.take(anyOne)).toBe("first to go");
    order.use("new", 1, 1);
    expect(order.take(anyOne)).toBe("old");
  });

  it("lets even what is dear age, and go in the end", () => {
    const order = orderOf(["dear", 5, 1]);
    let rounds = 0;
    for (; rounds < 100; rounds += 1) {
      order.use(`cheap ${rounds}`, 1, 1);
      if (order.take(anyOne) === "dear") break;
    }
    expect(rounds).toBe(4);
  });

  it("passes over what may not go, and knows nothing of what was forgotten", () => {
    const order = orderOf(["busy", 1, 1], ["gone", 2, 1], ["idle", 3, 1]);
    order.forget("gone");
    expect(order.take((item) => item !== "busy")).toBe("idle");
    expect(order.take((item) => item !== "busy")).toBeUndefined();
    expect(order.take(anyOne)).toBe("busy");
  });

  it("takes out each item once, whatever was used", () => {
    const uses = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.nat(100), fc.integer({ min: 1, max: 100 })));
    fc.assert(
      fc.property(uses, (list) => {
        const order = new EvictionOrder<number>();
        for (const [item, cost, size] of list) order.use(item, cost, size);
        const taken: number[] = [];
        for (let item = order.take(anyOne); item !== undefined; item = order.take(anyOne)) taken.push(item);
        expect(taken.sort()).toEqual([...new Set(list.map(([item]) => item))].sort());
      }),
    );
  });
});
