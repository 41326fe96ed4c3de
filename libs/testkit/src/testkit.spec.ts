import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { judgeNeeds } from "./describe-with.ts";
import { FakeClock } from "./fake-clock.ts";
import { expectNoLeaks, openHandles } from "./leak-check.ts";
import { waitFor } from "./wait-for.ts";

describe("a fake clock", () => {
  it("wakes sleeps and timers in the order of their times, at their times", async () => {
    const clock = new FakeClock(1_000);
    const woken: [string, number][] = [];
    const note = (name: string) => woken.push([name, clock.now()]);
    void clock.sleep(30).then(() => note("late"));
    clock.timer(10, () => note("early"));
    void clock
      .sleep(15)
      .then(() => clock.sleep(5))
      .then(() => note("chained"));
    await clock.advance(29);
    expect(woken).toEqual([
      ["early", 1_010],
      ["chained", 1_020],
    ]);
    await clock.advance(1);
    expect(woken.at(-1)).toEqual(["late", 1_030]);
    expect(clock.pending).toBe(0);
  });

  it("forgets what was cancelled", async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const sleeping = clock.sleep(10, controller.signal);
    let rang = false;
    clock
      .timer(10, () => {
        rang = true;
      })
      [Symbol.dispose]();
    controller.abort(new Error("enough"));
    await expect(sleeping).rejects.toThrow("enough");
    await clock.advance(100);
    expect(rang).toBe(false);
  });
});

describe("a check with needs", () => {
  const machine = (programs: string[]) => (name: string) => (programs.includes(name) ? `/usr/bin/${name}` : undefined);
  const cases = [
    { level: "ci", programs: ["nats-server"], env: {}, kind: "run" },
    { level: "ci", programs: [], env: {}, kind: "skip" },
    { level: "ci", programs: [], env: { CI: "true" }, kind: "fail" },
    { level: "gpu", programs: [], env: { CI: "true" }, kind: "skip" },
    { level: "manual", programs: ["nats-server"], env: {}, kind: "skip" },
    { level: "manual", programs: ["nats-server"], env: { AIMASS_MANUAL: "true" }, kind: "run" },
  ] as const;
  it.each(cases)("of level $level with programs $programs and $env: $kind", ({ level, programs, env, kind }) => {
    const verdict = judgeNeeds({ level, needs: ["nats-server"], env, find: machine([...programs]) });
    expect(verdict.kind).toBe(kind);
    if (verdict.kind !== "run" && level !== "manual") expect(verdict.reason).toContain("nats-server");
  });
});

describe("the leak check", () => {
  it("names a listener and a child process that were left open, and is content once they are closed", async () => {
    const before = openHandles();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const child = spawn("sleep", ["60"]);
    await expect(expectNoLeaks(before)).rejects.toThrow(/1 listener, 1 child process|1 child process, 1 listener/);
    server.close();
    child.kill();
    await expectNoLeaks(before);
  });
});

describe("waiting for a condition", () => {
  it("returns the answer, and says what it waited for when time is up", async () => {
    let calls = 0;
    expect(await waitFor(() => (++calls > 2 ? "there" : undefined))).toBe("there");
    await expect(waitFor(() => false, { timeoutMs: 30, what: "snow" })).rejects.toThrow("snow");
  });
});
