import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BatchLimits, BatchSearch, batchShare } from "./batch-search.ts";
import { fitBatch } from "./fit-batch.ts";

const mebibyte = 2 ** 20;
const roomy: BatchLimits = { maxRows: 32, runLimitMs: 30_000, availableBytes: 2 ** 40, openBytes: 0 };

interface Model {
  readonly microsPerRow: number;
  readonly bytesPerRow: number;
  /** Rows from which on it refuses. */
  readonly refusesFrom?: number;
}

/** Searches on a model that takes what it says; gives the sizes that were run and the end. */
function searched(model: Model, over: Partial<BatchLimits> = {}) {
  const search = new BatchSearch({ ...roomy, ...over });
  const tried: number[] = [];
  for (let next = search.next(); ; next = search.next()) {
    if ("done" in next) return { tried, largest: search.runs.at(-1)?.rows, why: next.done, runs: search.runs };
    tried.push(next.rows);
    const { rows } = next;
    if (rows >= (model.refusesFrom ?? Number.POSITIVE_INFINITY)) search.failed(rows, `${rows} rows were refused`);
    else search.ran({ rows, micros: rows * model.microsPerRow, peakBytes: rows * model.bytesPerRow });
  }
}

describe("the search for the largest batch", () => {
  it.each([
    ["doubles while there is room", { microsPerRow: 5000, bytesPerRow: mebibyte }, {}, [1, 2, 4, 8, 16, 32], ""],
    ["tries nothing between where all is a trifle", { microsPerRow: 10, bytesPerRow: 100 }, {}, [1, 32], ""],
    [
      "goes to a largest size that is no power of two",
      { microsPerRow: 5000, bytesPerRow: 1 },
      { maxRows: 12 },
      [1, 2, 4, 8, 12],
      "",
    ],
    [
      "stops before a run that would take a quarter of its limit",
      { microsPerRow: 3_000_000, bytesPerRow: 1 },
      {},
      [1, 2],
      "3 rows would take 9000 ms, more than a quarter of run_limit_ms (30000)",
    ],
    [
      "stops before a run that would take too much of the memory",
      { microsPerRow: 5000, bytesPerRow: 100 * mebibyte },
      { availableBytes: 1100 * mebibyte },
      [1, 2, 3],
      "4 rows would take 400.0 MiB of memory, more than one row's 100.0 MiB and a quarter of the 1000.0 MiB left",
    ],
    [
      "finds the largest that is not refused",
      { microsPerRow: 10, bytesPerRow: 1, refusesFrom: 4 },
      {},
      [1, 32, 16, 8, 4, 2, 3],
      "4 rows were refused",
    ],
  ] as const)("%s", (_, model, over, tried, why) => {
    expect(searched(model, over)).toMatchObject({
      tried,
      why,
      largest: tried.findLast((n) => n < (("refusesFrom" in model && model.refusesFrom) || 1e9)),
    });
  });

  it("never runs a size twice, never keeps one beyond its share, and always ends", () => {
    const models = fc.record({
      microsPerRow: fc.integer({ min: 1, max: 40_000_000 }),
      bytesPerRow: fc.integer({ min: 1, max: 2 ** 31 }),
      refusesFrom: fc.integer({ min: 2, max: 300 }),
    });
    fc.assert(
      fc.property(
        models,
        fc.integer({ min: 1, max: 256 }),
        fc.integer({ min: 2 ** 20, max: 2 ** 36 }),
        (model, maxRows, availableBytes) => {
          const { tried, runs } = searched(model, { maxRows, availableBytes });
          expect(new Set(tried).size).toBe(tried.length);
          for (const { rows, micros } of runs.slice(1)) {
            expect(rows).toBeLessThanOrEqual(maxRows);
            expect(micros).toBeLessThanOrEqual((roomy.runLimitMs * 1000) / batchShare);
          }
        },
      ),
    );
  });
});

describe("the batches of a version that was measured before", () => {
  it("are smaller where less memory is left than then", () => {
    const runs = [1, 2, 4, 8].map((rows) => ({ rows, micros: 1000, peakBytes: rows * 100 * mebibyte }));
    const profile = {
      openMicros: 0,
      openBytes: 0,
      style: { axisLength: 1, zeros: false },
      runs,
      stopped: "",
      parity: "",
    };
    const limits = { maxRows: 8, runLimitMs: 30_000 };
    expect(fitBatch(profile, { ...limits, availableBytes: 2 ** 40 })).toMatchObject({
      maxBatchSize: 8,
      why: "",
      sessionBytes: 800 * mebibyte,
    });
    expect(fitBatch(profile, { ...limits, availableBytes: 1300 * mebibyte })).toMatchObject({
      maxBatchSize: 4,
      why: "only 1300.0 MiB of memory are left",
      leastBytes: 100 * mebibyte,
    });
  });
});
