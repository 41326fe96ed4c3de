import { systemClock } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { leaderboard } from "./leaderboard.ts";
import { randomSearch } from "./random-search.ts";
import { type RunOutcome, runSearch, type ScoreRun, type SearchOptions, type SearchState } from "./run-search.ts";
import { TrialResults } from "./trial.ts";

const trials = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    number: i + 1,
    recipe: "ridge",
    given: { parameters: { l2: i }, choices: {} },
  }));
const ranking = { metric: { name: "r2", lowerIsBetter: false }, simplest: [] };
const unbounded = { seconds: Number.POSITIVE_INFINITY };

/** A scoring that takes a while and can be aborted, as a trial in a process. */
const scoring =
  (
    ms: number,
    outcome: (number: number) => RunOutcome = (n) => ({ kind: "scored", score: n, deviation: 0, folds: [] }),
  ): ScoreRun =>
  async ({ trial }, signal) => {
    await systemClock.sleep(ms, signal);
    return outcome(trial.number);
  };

const search = (o: Partial<SearchOptions> & { count?: number }) =>
  runSearch({
    policy: randomSearch(trials(o.count ?? 6)),
    budget: unbounded,
    parallel: 2,
    score: scoring(5),
    clock: systemClock,
    signal: new AbortController().signal,
    ...o,
  });

describe("a search", () => {
  it("runs as many trials side by side as it may, and no more", async () => {
    let running = 0;
    let most = 0;
    const score: ScoreRun = async (run, signal) => {
      most = Math.max(most, ++running);
      const outcome = await scoring(10)(run, signal);
      running -= 1;
      return outcome;
    };
    const results = await search({ parallel: 3, score, count: 9 });
    expect(most).toBe(3);
    expect(results.all).toHaveLength(9);
  });

  it("goes on when a trial fails", async () => {
    const score = scoring(1, (n) =>
      n === 2 ? { kind: "failed", reason: "It broke." } : { kind: "scored", score: n, deviation: 0, folds: [] },
    );
    const entries = leaderboard(await search({ score }), [], ranking);
    expect(entries.map(({ trial }) => trial.number)).toEqual([6, 5, 4, 3, 1, 2]);
    expect(entries.at(-1)?.status).toMatchObject({ kind: "failed", reason: "It broke." });
  });

  it("begins no trial after its budget and cuts those that run at half as much again", async () => {
    const score: ScoreRun = (run, signal) => scoring(run.trial.number === 2 ? 60_000 : 100)(run, signal);
    const startedAt = performance.now();
    const results = await search({ count: 200, budget: { seconds: 0.5 }, score });
    expect(performance.now() - startedAt).toBeLessThan(0.5 * 3 * 1000);
    const kinds = new Map(results.all.map(({ run, outcome }) => [run.trial.number, outcome.kind]));
    expect(kinds.get(2)).toBe("cut");
    expect(kinds.get(1)).toBe("scored");
    expect(kinds.size).toBeGreaterThan(2);
    expect(kinds.size).toBeLessThan(12);
  });

  it("whose budget ends before the first trial does still ends", async () => {
    const results = await search({ budget: { seconds: 0.05 }, score: scoring(60_000), parallel: 1 });
    expect(results.all.map(({ outcome }) => outcome.kind)).toEqual(["cut"]);
  });

  it("that was interrupted goes on with what is missing, and its time counts", async () => {
    const found: SearchState[] = [];
    const stop = new AbortController();
    const onChange = (state: SearchState) => {
      found.push(state);
      if (state.results.all.length === 3) stop.abort(new Error("The worker dies."));
    };
    await expect(search({ onChange, signal: stop.signal, parallel: 1 })).rejects.toThrow("The worker dies.");
    const earlier = { results: new TrialResults(found.at(-1)?.results.all), seconds: 40 };
    const scored: number[] = [];
    const score: ScoreRun = (run, signal) => {
      scored.push(run.trial.number);
      return scoring(1)(run, signal);
    };
    const results = await search({ earlier, score, onChange: (state) => found.push(state) });
    expect(scored).toEqual([4, 5, 6]);
    expect(results.all).toHaveLength(6);
    expect(found.at(-1)?.seconds).toBeGreaterThan(40);
  });

  it("rejects at once when it is cancelled", async () => {
    const stop = new AbortController();
    const startedAt = performance.now();
    setTimeout(() => stop.abort(new Error("Enough.")), 50);
    await expect(search({ score: scoring(60_000), signal: stop.signal })).rejects.toThrow("Enough.");
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  it("tells what runs and what ended", async () => {
    const told: string[] = [];
    const onChange = ({ active, ended }: SearchState) =>
      void told.push(
        `${ended === undefined ? "began" : `ended ${ended.trial.number}`}, runs ${active.map((r) => r.trial.number)}`,
      );
    await search({ count: 2, parallel: 1, onChange });
    expect(told).toEqual(["began, runs 1", "ended 1, runs ", "began, runs 2", "ended 2, runs "]);
  });
});
