import { AimassError } from "@aimass/core";
import { foretell, mebibytes } from "./batch-search.ts";
import type { ModelProfile } from "./model-profile.ts";

/** What a run of one large request may take. */
export interface RunRoom {
  readonly runLimitMs: number;
  /** Memory that it may take with the model itself, in bytes. */
  readonly availableBytes: number;
}

/**
 * A request of more rows than the largest batch runs alone, as long as it can be foretold that this takes the replica neither past the run limit, which ends its process,
 * nor past its memory. Throws INVALID_ARGUMENT with the rows that it may have.
 */
export function assertAffordable({ runs, openBytes }: ModelProfile, rows: number, room: RunRoom): void {
  const largest = runs.at(-1);
  if (largest === undefined || rows <= largest.rows) return;
  const { micros: proportional, peakBytes } = foretell(runs, rows, openBytes);
  const micros = Math.min(proportional, Math.max(proportional / 4, byRise(runs, rows)));
  const limitMs = room.runLimitMs;
  if (micros / 1000 > limitMs)
    throw tooMany(
      `would take about ${Math.round(micros / 1000)} ms, and a run may take run_limit_ms (${limitMs})`,
      rows,
      largest.rows,
    );
  if (peakBytes > room.availableBytes)
    throw tooMany(
      `would take about ${mebibytes(peakBytes)} of memory, and ${mebibytes(room.availableBytes)} are left`,
      rows,
      largest.rows,
    );
}

/** What so many rows take if time rises as between the two largest sizes: part of a run costs the same for any number of rows. Two sizes
 * tell little, so that no less than a quarter of what rows took is laid on each. */
function byRise(runs: ModelProfile["runs"], rows: number): number {
  const [before, last] = runs.slice(-2);
  if (before === undefined || last === undefined) return Number.POSITIVE_INFINITY;
  const perRow = Math.max(0, last.micros - before.micros) / (last.rows - before.rows);
  return last.micros + perRow * (rows - last.rows);
}

function tooMany(why: string, rows: number, atATime: number): AimassError {
  return new AimassError("INVALID_ARGUMENT", `This request has ${rows} rows; to run them at once ${why}.`, {
    reason: "TOO_MANY_ROWS",
    remedy: `Send fewer rows a request: ${atATime} are a batch here.`,
  });
}
