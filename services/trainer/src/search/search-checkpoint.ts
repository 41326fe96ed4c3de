import type { GivenParameters } from "../recipes/recipe-parameters.ts";
import { type FinishedRun, type TrialOutcome, TrialResults } from "./trial.ts";

/** What a later attempt needs: the trials that ended, and how the winner's training stands. */
export interface SearchCheckpoint {
  readonly results: TrialResults;
  /** The search took so far. */
  readonly seconds: number;
  /** Of the winner's training; undefined before. */
  readonly training: Uint8Array | undefined;
}

interface StoredRun {
  readonly number: number;
  readonly recipe: string;
  readonly given: GivenParameters;
  readonly rowsShare: number;
  readonly outcome: TrialOutcome;
}

interface Stored {
  readonly kind: "search-1";
  readonly seconds: number;
  readonly finished: readonly StoredRun[];
}

/** A line of JSON, then the bytes of the training. */
export function writeCheckpoint({ results, seconds, training }: SearchCheckpoint): Uint8Array {
  const finished = results.all.map(
    ({ run, outcome }): StoredRun => ({ ...run.trial, rowsShare: run.rowsShare, outcome }),
  );
  const stored: Stored = { kind: "search-1", seconds, finished };
  return Buffer.concat([Buffer.from(`${JSON.stringify(stored)}\n`), training ?? new Uint8Array()]);
}

/** Undefined for bytes that are something else: the search then begins anew. */
export function readCheckpoint(bytes: Uint8Array | undefined): SearchCheckpoint | undefined {
  const end = bytes?.indexOf(0x0a) ?? -1;
  if (bytes === undefined || end < 0) return undefined;
  const stored = parse(bytes.subarray(0, end));
  if (stored === undefined) return undefined;
  const training = bytes.length > end + 1 ? bytes.subarray(end + 1) : undefined;
  const finished = stored.finished.map(
    ({ number, recipe, given, rowsShare, outcome }): FinishedRun => ({
      run: { trial: { number, recipe, given }, rowsShare },
      outcome,
    }),
  );
  return { results: new TrialResults(finished), seconds: stored.seconds, training };
}

function parse(line: Uint8Array): Stored | undefined {
  try {
    const stored = JSON.parse(Buffer.from(line).toString()) as Stored;
    return stored.kind === "search-1" ? stored : undefined;
  } catch {
    return undefined;
  }
}
