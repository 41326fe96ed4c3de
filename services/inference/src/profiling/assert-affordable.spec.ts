import { describe, expect, it } from "vitest";
import { assertAffordable } from "./assert-affordable.ts";
import type { ModelProfile, ProfiledRun } from "./model-profile.ts";

const mebibyte = 2 ** 20;
const room = { runLimitMs: 30_000, availableBytes: 4096 * mebibyte };

function profileOf(...runs: ProfiledRun[]): ModelProfile {
  return { openMicros: 1000, openBytes: 10 * mebibyte, style: undefined, runs, stopped: "", parity: "" };
}

describe("a request of more rows than the largest batch", () => {
  it("is taken where the rows measured differ by no more than two runs do, however many rows it has", () => {
    const trivial = profileOf(
      { rows: 1, micros: 80, peakBytes: 11 * mebibyte },
      { rows: 32, micros: 2100, peakBytes: 11 * mebibyte + 131_072 },
    );
    expect(() => assertAffordable(trivial, 30_000_000, room)).not.toThrow();
  });

  it("is told by the size far above any batch, where rows that take little each stand out", () => {
    const runs = [
      { rows: 1, micros: 80, peakBytes: 11 * mebibyte },
      { rows: 32, micros: 2000, peakBytes: 12 * mebibyte },
    ];
    const large = { rows: 2048, micros: 125_000, peakBytes: 75 * mebibyte };
    const profile = { ...profileOf(...runs), large };
    expect(() => assertAffordable(profile, 1500, room)).not.toThrow();
    expect(() => assertAffordable(profile, 100_000, room)).not.toThrow();
    expect(() => assertAffordable(profile, 1_000_000, room)).toThrow(/take about 59\d{3} ms/);
    expect(() => assertAffordable(profile, 150_000, { ...room, runLimitMs: 600_000 })).toThrow(/MiB of memory/);
  });

  it("is refused when so many rows take longer than a run may", () => {
    const slow = profileOf(
      { rows: 1, micros: 600, peakBytes: 11 * mebibyte },
      { rows: 32, micros: 9000, peakBytes: 11 * mebibyte },
    );
    expect(() => assertAffordable(slow, 100_000, room)).not.toThrow();
    expect(() => assertAffordable(slow, 400_000, room)).toThrow(
      /400000 rows; to run them at once would take about .* ms, and a run may take run_limit_ms \(30000\)/,
    );
  });

  it("is refused when so many rows take more memory than is left", () => {
    const wide = profileOf(
      { rows: 1, micros: 100, peakBytes: 20 * mebibyte },
      { rows: 4, micros: 400, peakBytes: 32 * mebibyte },
    );
    expect(() => assertAffordable(wide, 300, room)).not.toThrow();
    expect(() => assertAffordable(wide, 3000, room)).toThrow(/MiB of memory, and 4096\.0 MiB are left/);
  });

  it("is judged by its one row where no larger size was run", () => {
    const huge = profileOf({ rows: 1, micros: 9_000_000, peakBytes: 1500 * mebibyte });
    expect(() => assertAffordable(huge, 2, room)).not.toThrow();
    expect(() => assertAffordable(huge, 3, room)).toThrow(/of memory/);
    expect(() => assertAffordable(huge, 4, room)).toThrow(/ms/);
  });
});
