import { describe, expect, it } from "vitest";
import { systemClock } from "./clock.ts";
import { NewestSaver } from "./newest-saver.ts";

/** A saver of a number that changes, and what it wrote. */
function savedNumber(options: { gapMs: number; signal?: AbortSignal; fail?: () => boolean }) {
  const state = { value: 0 };
  const written: number[] = [];
  const failures: unknown[] = [];
  let running = 0;
  const saver = new NewestSaver({
    gapMs: options.gapMs,
    clock: systemClock,
    signal: options.signal ?? new AbortController().signal,
    onFailure: (error) => failures.push(error),
    save: async () => {
      expect(++running).toBe(1);
      const { value } = state;
      await systemClock.sleep(5);
      running -= 1;
      if (options.fail?.()) throw new Error("The disk is full.");
      written.push(value);
    },
  });
  const change = () => {
    state.value += 1;
    saver.changed();
  };
  return { saver, change, written, failures };
}

describe("a state that changes faster than it may be written", () => {
  it("is written one at a time, no sooner than the gap allows, the last change included", async () => {
    const { saver, change, written } = savedNumber({ gapMs: 50 });
    const beganAt = performance.now();
    for (let i = 0; i < 40; i++) {
      change();
      await systemClock.sleep(3);
    }
    await saver.settled();
    expect(written.at(-1)).toBe(40);
    // The first one at once and the last one after the end; timers may be a millisecond early.
    expect(written.length).toBeLessThanOrEqual((performance.now() - beganAt) / 49 + 2);
  });

  it("is written at once when its owner ends", async () => {
    const stop = new AbortController();
    const { saver, change, written } = savedNumber({ gapMs: 3_600_000, signal: stop.signal });
    change();
    await systemClock.sleep(20);
    change();
    stop.abort();
    await saver.settled();
    expect(written).toEqual([1, 2]);
  });

  it("is written by a later try after one that failed", async () => {
    let isFull = true;
    const { saver, change, written, failures } = savedNumber({ gapMs: 1, fail: () => isFull });
    change();
    await saver.settled();
    isFull = false;
    change();
    await saver.settled();
    expect(failures).toHaveLength(1);
    expect(written).toEqual([2]);
  });
});
