import { describe, expect, it } from "vitest";
import { Backoff, keepTrying } from "./backoff.ts";
import { type Clock, systemClock } from "./clock.ts";
import { AimassError, codeFromNumber, statusCodes } from "./errors.ts";
import { PushStream } from "./push-stream.ts";
import { Semaphore } from "./semaphore.ts";
import { deadlineSignal, linkedSignal } from "./signals.ts";

describe("Backoff", () => {
  it("grows to its bound and starts over", () => {
    const backoff = new Backoff({ initialMs: 100, multiplier: 2, maxMs: 300, jitter: 0 });
    expect([backoff.next(), backoff.next(), backoff.next(), backoff.next()]).toEqual([100, 200, 300, 300]);
    backoff.reset();
    expect(backoff.next()).toBe(100);
  });

  it("spreads waits by its jitter", () => {
    expect(new Backoff({ initialMs: 100, jitter: 0.2, random: () => 0 }).next()).toBeCloseTo(80);
    expect(new Backoff({ initialMs: 100, jitter: 0.2, random: () => 1 }).next()).toBeCloseTo(120);
  });
});

describe("keepTrying", () => {
  it("waits longer after each failure, starts over once healthy, and ends with its signal", async () => {
    const stop = new AbortController();
    const waits: number[] = [];
    const clock: Clock = { ...systemClock, sleep: async (ms) => void waits.push(ms) };
    let attempt = 0;
    await keepTrying(
      async (healthy) => {
        attempt += 1;
        if (attempt === 3) healthy();
        if (attempt === 5) stop.abort();
        throw new Error("no");
      },
      { clock, signal: stop.signal, backoff: { initialMs: 10, multiplier: 2, jitter: 0 } },
    );
    expect(waits).toEqual([10, 20, 10, 20]);
  });
});

describe("signals", () => {
  it("a deadline aborts with a TimeoutError, which is DEADLINE_EXCEEDED", async () => {
    using deadline = deadlineSignal(5);
    await expect(systemClock.sleep(1000, deadline.signal)).rejects.toMatchObject({ name: "TimeoutError" });
    expect(AimassError.from(deadline.signal.reason).code).toBe("DEADLINE_EXCEEDED");
  });

  it("a linked signal follows its parents until it is disposed", () => {
    const parent = new AbortController();
    const linked = linkedSignal(undefined, parent.signal);
    const loose = linkedSignal(parent.signal);
    loose[Symbol.dispose]();
    parent.abort();
    expect(linked.signal.aborted).toBe(true);
    expect(loose.signal.aborted).toBe(false);
    expect(linkedSignal(parent.signal).signal.aborted).toBe(true);
  });
});

describe("Semaphore", () => {
  it("lets so many in, the rest in order, and forgets those that gave up", async () => {
    const semaphore = new Semaphore(1);
    const order: string[] = [];
    const gaveUp = new AbortController();
    const first = semaphore.run(async () => {
      await systemClock.sleep(5);
      order.push("first");
    });
    const second = semaphore.run(async () => void order.push("second"), gaveUp.signal);
    const third = semaphore.run(async () => void order.push("third"));
    gaveUp.abort();
    await expect(second).rejects.toMatchObject({ name: "AbortError" });
    await Promise.all([first, third]);
    expect(order).toEqual(["first", "third"]);
    expect(semaphore.waiting).toBe(0);
  });
});

describe("PushStream", () => {
  it("gives what was pushed, then ends", async () => {
    const stream = new PushStream<number>();
    stream.push(1);
    setTimeout(() => {
      stream.push(2);
      stream.end();
    });
    const seen: number[] = [];
    for await (const item of stream) seen.push(item);
    expect(seen).toEqual([1, 2]);
    expect(stream.push(3)).toBe(false);
  });

  it("ends with an error rather than grow without bound", async () => {
    const stream = new PushStream<number>(2);
    expect([stream.push(1), stream.push(2), stream.push(3)]).toEqual([true, true, false]);
    const read = async () => {
      for await (const _item of stream);
    };
    await expect(read()).rejects.toThrow("2 items behind");
  });

  it("stops taking items when its reader leaves", async () => {
    const stream = new PushStream<number>();
    stream.push(1);
    for await (const _item of stream) break;
    expect(stream.push(2)).toBe(false);
  });
});

describe("AimassError", () => {
  it("gives nothing of an unknown error away but keeps it for the log", () => {
    const secret = new Error("password=hush");
    const error = AimassError.from(secret);
    expect(error.code).toBe("INTERNAL");
    expect(error.advice).not.toContain("hush");
    expect(error.cause).toBe(secret);
    expect(AimassError.from(error)).toBe(error);
  });

  it("knows every code of the wire and calls others UNKNOWN", () => {
    for (const [name, number] of Object.entries(statusCodes)) expect(codeFromNumber(number)).toBe(name);
    expect(codeFromNumber(99)).toBe("UNKNOWN");
  });
});
