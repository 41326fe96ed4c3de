import { describe, expect, it } from "vitest";
import { ThreadLane } from "./thread-lane.ts";

const script = new URL("./thread-lane.fixture.ts", import.meta.url);
const never = new AbortController().signal;

describe("a lane of one thread", () => {
  it("goes on after a task that cannot be handed over", async () => {
    await using lane = new ThreadLane<{ value: unknown; ms: number }, number>(script);
    const [broken, sound] = await Promise.allSettled([
      lane.ask({ value: () => {}, ms: 0 }, [], never),
      lane.ask({ value: 7, ms: 0 }, [], never),
    ]);
    expect(broken).toMatchObject({ status: "rejected", reason: { code: "INTERNAL" } });
    expect(sound).toMatchObject({ value: 7 });
  }, 10_000);

  it("stays closed when it is closed over its work, and refuses what waits and what comes", async () => {
    const lane = new ThreadLane<{ value: number; ms: number }, number>(script);
    expect(await lane.ask({ value: 1, ms: 0 }, [], never)).toBe(1);
    const asked = Promise.allSettled([2, 3].map((value) => lane.ask({ value, ms: 300 }, [], never)));
    await lane[Symbol.asyncDispose]();
    for (const outcome of await asked) expect(outcome).toMatchObject({ reason: { reason: "THREAD_CLOSED" } });
    await expect(lane.ask({ value: 4, ms: 0 }, [], never)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  }, 10_000);
});
