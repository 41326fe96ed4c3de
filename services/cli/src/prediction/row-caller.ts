import { AimassError, Backoff, type Clock } from "@aimass/core";
import type { Connection } from "../client/connection.ts";
import { type ModelAddress, predictRows, type RowsAnswer } from "../client/rest-inference.ts";

/** What became of a row: its entry of the answer, or why the model does not take it. */
export type RowResult =
  | { readonly kind: "predicted"; readonly entry: unknown; readonly answer: RowsAnswer }
  | { readonly kind: "refused"; readonly error: AimassError };

/** How rows are sent. */
export interface RowCallerOptions {
  readonly connection: Connection;
  readonly at: ModelAddress;
  /** Whether answers hold whole numbers that no double has. */
  readonly exact: boolean;
  /** How many rows each call must have, of a model that takes so many at once and no others; undefined: any number. */
  readonly fixedRows?: number | undefined;
  /** How long a call is tried again while the mesh has no room, no replica or a fault, in milliseconds. */
  readonly patienceMs: number;
  /** Whether the first refused row ends it: rows behind it are then not sent. */
  readonly stopAtRefusal: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A call without room so often is divided, where it can be. */
const triesBeforeDividing = 3;
/** What speaks of the mesh and of no row. */
const passing: ReadonlySet<string> = new Set(["UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "INTERNAL"]);

/**
 * Sends rows to `/predict`. Calls that found no room, no replica or a fault are made again, after the time that the server says. Rows that are refused together are sent
 * in parts, until only those are refused that are refused alone: rows may differ in shape, or in what they leave out, and be right each. Where a call must have
 * more rows than there are, the last one is repeated and those answers are dropped.
 */
export class RowCaller {
  readonly #options: RowCallerOptions;

  constructor(options: RowCallerOptions) {
    this.#options = options;
  }

  /** What becomes of each row, in order; up to the first refused one where that ends it. Errors: those of the mesh that are not about rows. */
  async call(rows: readonly string[]): Promise<RowResult[]> {
    if (rows.length === 0) return [];
    const sent = this.#filled(rows);
    const outcome = await this.#tried(sent, rows.length > 1);
    if (!(outcome instanceof AimassError)) {
      if (outcome.predictions.length !== sent.length) throw notByRow(sent.length, outcome.predictions.length);
      const own = outcome.predictions.slice(0, rows.length);
      return own.map((entry) => ({ kind: "predicted", entry, answer: outcome }));
    }
    if (rows.length === 1) return [{ kind: "refused", error: outcome }];
    const results: RowResult[] = [];
    for (const part of partsOf(rows, namedRow(outcome, rows.length))) {
      results.push(...(await this.call(part)));
      if (this.#options.stopAtRefusal && results.at(-1)?.kind === "refused") break;
    }
    return results;
  }

  #filled(rows: readonly string[]): readonly string[] {
    const missing = (this.#options.fixedRows ?? 0) - rows.length;
    return missing > 0 ? [...rows, ...Array<string>(missing).fill(rows.at(-1) as string)] : rows;
  }

  /** The answer, or the refusal of something in these rows. */
  async #tried(rows: readonly string[], isDivisible: boolean): Promise<RowsAnswer | AimassError> {
    const { connection, at, exact, patienceMs, clock, signal } = this.#options;
    const body = `{"inputs":[${rows.join(",")}]}`;
    const backoff = new Backoff({ initialMs: 200 });
    const startedAt = clock.monotonic();
    for (let tries = 1; ; tries++) {
      try {
        return await predictRows(connection, at, body, { exact, signal });
      } catch (error) {
        if (!(error instanceof AimassError)) throw error;
        if (error.code === "INVALID_ARGUMENT") return error;
        if (!passing.has(error.code)) throw error;
        // Parts of a batch of fixed size are no smaller.
        const isSmaller = isDivisible && this.#options.fixedRows === undefined;
        const isTooMuch = error.code !== "UNAVAILABLE" && tries >= triesBeforeDividing && isSmaller;
        if (isTooMuch) return error;
        const wait = Math.max(backoff.next(), error.retryAfterMs ?? 0);
        if (clock.monotonic() - startedAt + wait > patienceMs) throw error;
        await clock.sleep(wait, signal);
      }
    }
  }
}

/** The rows before the one that is to blame, that one, and those after it; halves where none is named. */
function partsOf(rows: readonly string[], blamed: number | undefined): readonly (readonly string[])[] {
  if (blamed === undefined) {
    const half = rows.length >> 1;
    return [rows.slice(0, half), rows.slice(half)];
  }
  return [rows.slice(0, blamed), rows.slice(blamed, blamed + 1), rows.slice(blamed + 1)];
}

/** The row that a refusal names, from 0. */
function namedRow({ message }: AimassError, rows: number): number | undefined {
  const row = Number(/\brow (\d{1,9})\b/i.exec(message)?.[1] ?? Number.NaN) - 1;
  return row >= 0 && row < rows ? row : undefined;
}

function notByRow(rows: number, answers: number): AimassError {
  return new AimassError("FAILED_PRECONDITION", `The model answered ${rows} rows with ${answers} predictions.`, {
    remedy: "Its outputs are not by row: call it with --input, one row at a time.",
  });
}
