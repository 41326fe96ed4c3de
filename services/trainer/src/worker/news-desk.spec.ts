import { FakeClock } from "@aimass/testkit";
import { describe, expect, it } from "vitest";
import { NewsDesk } from "./news-desk.ts";

describe("what a worker tells", () => {
  it("becomes batches: the newest progress and report, every line, point and warning, in order", async () => {
    const clock = new FakeClock();
    const desk = new NewsDesk(clock);
    expect(desk.next()).toBeUndefined();
    desk.add({ kind: "started" });
    for (let i = 1; i <= 3; i++) {
      desk.add({ kind: "log", line: `line ${i}` });
      desk.add({ kind: "metric", name: "loss", step: i, value: i });
      desk.add({ kind: "progress", fraction: i / 10, doing: `step ${i}`, step: { step: i, steps: 10 } });
      desk.add({ kind: "report", report: Uint8Array.of(i) });
      desk.add({ kind: "warning", sentence: `warning ${i}` });
    }
    const batch = desk.next() ?? expect.fail();
    expect(batch).toMatchObject({ number: 1, started: true, report: Uint8Array.of(3) });
    expect(batch.progress).toMatchObject({ fraction: 0.3, doing: "step 3", step: { step: 3, steps: 10 } });
    expect(batch.warnings).toEqual(["warning 1", "warning 2", "warning 3"]);
    const told = batch.news.map((one) => (one.kind === "log" ? one.line : one.step));
    expect(told).toEqual(["line 1", 1, "line 2", 2, "line 3", 3]);
    expect(desk.next()).toBeUndefined();
    desk.add({ kind: "progress", fraction: 0.4, doing: "on" });
    expect(desk.next()).toMatchObject({ number: 2, started: false, warnings: [], news: [], report: undefined });
  });

  it("is never so much at once that its transaction takes long", () => {
    const desk = new NewsDesk(new FakeClock());
    for (let i = 0; i < 2500; i++) desk.add({ kind: "log", line: String(i) });
    const lines: string[] = [];
    for (let batch = desk.next(); batch !== undefined; batch = desk.next()) {
      expect(batch.news.length).toBeLessThanOrEqual(1000);
      lines.push(...batch.news.map((one) => (one.kind === "log" ? one.line : "")));
    }
    expect(lines).toEqual(Array.from({ length: 2500 }, (_, i) => String(i)));
  });

  it("has no NUL, which PostgreSQL could not store", () => {
    const desk = new NewsDesk(new FakeClock());
    desk.add({ kind: "log", line: "a\0b" });
    desk.add({ kind: "warning", sentence: "\0" });
    expect(desk.next()).toMatchObject({ news: [{ line: "a\uFFFDb" }], warnings: ["\uFFFD"] });
  });
});
