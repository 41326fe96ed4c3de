import { FakeClock } from "@aimass/testkit";
import { describe, expect, it } from "vitest";
import { finishWithin } from "./finish-within.ts";

const never = () => new Promise<void>(() => {});

describe("the end of a process", () => {
  it("waits no longer than its grace, however many steps do not come to their end", async () => {
    const clock = new FakeClock();
    const begun: string[] = [];
    const step = (name: string) => async () => {
      begun.push(name);
      await never();
    };
    const startedAt = clock.monotonic();
    const finished = finishWithin(1000, clock, [step("one"), step("other")]);
    await clock.advance(1000);
    await finished;
    expect(clock.monotonic() - startedAt).toBe(1000);
    expect(begun).toEqual(["one", "other"]);
  });

  it("goes on as soon as all steps are done, and leaves no timer", async () => {
    const clock = new FakeClock();
    const order: number[] = [];
    await finishWithin(1000, clock, [async () => order.push(1), async () => order.push(2)]);
    expect(order).toEqual([1, 2]);
    expect(clock.pending).toBe(0);
  });
});
