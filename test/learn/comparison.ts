import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeCase } from "./case-files.ts";
import type { Case } from "./cases.ts";

/** What one side did. Times are of the fit alone (with the features, where texts are raw), just-in-time compilation included. */
export interface Outcome {
  /** Accuracy, or R². */
  readonly score: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly predictSeconds: number;
  /** Of the whole process: the rows as they were read, too. */
  readonly peakMiB: number;
}

/** Both sides of a case, each figure the median of its rounds, and what that says of the gates. */
export interface Comparison {
  readonly name: string;
  readonly ours: Outcome;
  readonly theirs: Outcome;
  readonly ratio: number;
  readonly cpuRatio: number;
  readonly timeGate: number | undefined;
  /** Less than a point of accuracy, or 0.01 of R², behind: what a run fails for. */
  readonly scoreHolds: boolean;
  readonly timeHolds: boolean;
}

const scoreGate = 0.01;

/** Both sides in turn, round after round with another seed, so that a machine that slows down slows both. */
export function compare(one: Case, o: { python: string; rounds: number; threads: number }): Comparison {
  const folder = mkdtempSync(join(tmpdir(), "aimass-compare-"));
  try {
    writeCase(folder, one.data);
    const ours: Outcome[] = [];
    const theirs: Outcome[] = [];
    const [mine, other] = ["ours.ts", "compare.py"].map((file) => join(import.meta.dirname, file)) as [string, string];
    for (let seed = 1; seed <= o.rounds; seed++) {
      ours.push(outcomeOf(process.execPath, [mine, folder, one.name, `${o.threads}`, `${seed}`], o.threads));
      theirs.push(outcomeOf(o.python, [other, folder, JSON.stringify(one), `${o.threads}`, `${seed}`], o.threads));
    }
    return judge(one, median(ours), median(theirs));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function judge({ name, timeGate }: Case, ours: Outcome, theirs: Outcome): Comparison {
  const ratio = ours.seconds / theirs.seconds;
  const cpuRatio = ours.cpuSeconds / theirs.cpuSeconds;
  const scoreHolds = ours.score >= theirs.score - scoreGate;
  return { name, ours, theirs, ratio, cpuRatio, timeGate, scoreHolds, timeHolds: !(ratio > (timeGate ?? Infinity)) };
}

/** The variables hold OpenMP and OpenBLAS, which scikit-learn works with, to the same number of threads. */
function outcomeOf(command: string, call: readonly string[], threads: number): Outcome {
  const env = { ...process.env, OMP_NUM_THREADS: `${threads}`, OPENBLAS_NUM_THREADS: `${threads}` };
  const output = execFileSync(command, call, { encoding: "utf8", env, stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(output) as Outcome;
}

/** Each figure's own median. */
function median(outcomes: readonly Outcome[]): Outcome {
  const of = (pick: (outcome: Outcome) => number) => {
    const sorted = outcomes.map(pick).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] as number;
  };
  return {
    score: of((o) => o.score),
    seconds: of((o) => o.seconds),
    cpuSeconds: of((o) => o.cpuSeconds),
    predictSeconds: of((o) => o.predictSeconds),
    peakMiB: of((o) => o.peakMiB),
  };
}
