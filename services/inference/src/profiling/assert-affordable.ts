import { AimassError } from "@aimass/core";
import { mebibytes } from "./batch-search.ts";
import type { ModelProfile } from "./model-profile.ts";

/** What a run of one large request may take. */
export interface RunRoom {
  readonly runLimitMs: number;
  /** Memory that it may take with the model itself, in bytes. */
  readonly availableBytes: number;
}

/**
 * What two runs of the same size differ by, however many rows they have: pages and arenas, scheduling and caches. A rise within it says nothing of a row, and multiplied by
 * millions of rows it would refuse what takes a moment.
 */
const noiseBytes = 2 ** 20;
const noiseMicros = 2500;

/**
 * A request of more rows than the largest batch runs alone, as long as it cannot be foretold that this takes the replica past the run limit, which ends its process,
 * or past its memory. Throws INVALID_ARGUMENT with the rows that it may have.
 */
export function assertAffordable({ runs, large, openBytes }: ModelProfile, rows: number, room: RunRoom): void {
  const batch = runs.at(-1);
  if (batch === undefined || rows <= batch.rows) return;
  const largest = large ?? batch;
  const smallest = runs.length > 1 && runs[0] !== undefined ? runs[0] : { rows: 0, micros: 0, peakBytes: openBytes };
  const atOnce = (from: number, to: number, noise: number) =>
    to + (Math.max(0, to - from - noise) / (largest.rows - smallest.rows)) * (rows - largest.rows);
  const ms = atOnce(smallest.micros, largest.micros, noiseMicros) / 1000;
  if (ms > room.runLimitMs)
    throw tooMany(
      `would take about ${Math.round(ms)} ms, and a run may take run_limit_ms (${room.runLimitMs})`,
      rows,
      batch.rows,
    );
  const bytes = atOnce(smallest.peakBytes, largest.peakBytes, noiseBytes);
  if (bytes > room.availableBytes)
    throw tooMany(
      `would take about ${mebibytes(bytes)} of memory, and ${mebibytes(room.availableBytes)} are left`,
      rows,
      batch.rows,
    );
}

function tooMany(why: string, rows: number, atATime: number): AimassError {
  return new AimassError("INVALID_ARGUMENT", `This request has ${rows} rows; to run them at once ${why}.`, {
    reason: "TOO_MANY_ROWS",
    remedy: `Send fewer rows a request: ${atATime} are a batch here.`,
  });
}
