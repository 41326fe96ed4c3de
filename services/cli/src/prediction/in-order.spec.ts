import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { inOrder } from "./in-order.ts";

async function* counted(count: number, onItem: (item: number) => void = () => {}) {
  for (let item = 0; item < count; item++) {
    onItem(item);
    yield item;
  }
}

it("results come in order, a few under way at a time", async () => {
  let underway = 0;
  let most = 0;
  const results: number[] = [];
  const work = async (item: number) => {
    most = Math.max(most, ++underway);
    await sleep(item % 3 === 0 ? 15 : 1);
    underway--;
    return item;
  };
  for await (const result of inOrder(counted(20), 4, work)) results.push(result);
  expect(results).toEqual(Array.from({ length: 20 }, (_, item) => item));
  expect(most).toBe(4);
});

it("no other is begun once one has failed, and none is left under way", async () => {
  let ended = 0;
  let last = 0;
  const work = async (item: number) => {
    await sleep(5);
    ended++;
    if (item === 2) throw new Error("third");
  };
  const all = async () => {
    for await (const _ of inOrder(
      counted(100, (item) => (last = item)),
      3,
      work,
    ));
  };
  await expect(all()).rejects.toThrow("third");
  expect(last).toBeLessThan(6);
  expect(ended).toBe(last + 1);
});
