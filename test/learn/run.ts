import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeCase } from "./case-files.ts";
import { type Case, cases } from "./cases.ts";

/**
 * Our estimators against scikit-learn's, case by case in turns on the same rows: `node test/learn/run.ts [--only TEXT] [--rounds 3] [--threads 2]`. Prints
 * one table; times are the medians of the rounds, of fits alone, ours with just-in-time compilation. scikit-learn is installed into a virtual environment
 * in node_modules/.cache; it needs python3 with venv.
 */
const scikitLearn = "1.9.1";

interface Outcome {
  readonly score: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly predictSeconds: number;
  readonly peakMiB: number;
}

const option = (name: string, fallback: string) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : (process.argv[at + 1] ?? fallback);
};
const rounds = Number(option("rounds", "3"));
const threads = option("threads", "2");
const here = import.meta.dirname;
const python = pythonWithScikitLearn();

const heads = ["case", "ours", "sklearn", "ours s", "sklearn s", "ratio", "CPU ratio", "ours MiB", "sklearn MiB"];
process.stdout.write(`| ${heads.join(" | ")} |\n|${heads.map((_, i) => (i === 0 ? "---" : "---:")).join("|")}|\n`);
for (const one of cases.filter(({ name }) => name.includes(option("only", "")))) {
  const [ours, theirs] = compare(one);
  const cells = [
    one.name,
    ours.score.toFixed(4),
    theirs.score.toFixed(4),
    ours.seconds.toFixed(2),
    theirs.seconds.toFixed(2),
    (ours.seconds / theirs.seconds).toFixed(2),
    (ours.cpuSeconds / theirs.cpuSeconds).toFixed(2),
    ours.peakMiB.toFixed(0),
    theirs.peakMiB.toFixed(0),
  ];
  process.stdout.write(`| ${cells.join(" | ")} |\n`);
}

/** Both in turn, round after round, so that a machine that slows down slows both. */
function compare(one: Case): [Outcome, Outcome] {
  const folder = mkdtempSync(join(tmpdir(), "aimass-compare-"));
  try {
    writeCase(folder, one.data);
    const ours: Outcome[] = [];
    const theirs: Outcome[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(outcomeOf(process.execPath, [join(here, "ours.ts"), folder, one.name, threads]));
      const call = [join(here, "compare.py"), folder, one.counterpart, JSON.stringify(one.arguments)];
      theirs.push(outcomeOf(python, call));
    }
    return [median(ours), median(theirs)];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function outcomeOf(command: string, call: readonly string[]): Outcome {
  const output = execFileSync(command, call, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
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

function pythonWithScikitLearn(): string {
  const folder = join(here, "../../node_modules/.cache/aimass-scikit-learn", scikitLearn);
  const binary = join(folder, "bin/python");
  if (existsSync(join(folder, "ready"))) return binary;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  execFileSync("python3", ["-m", "venv", folder], { stdio: "inherit" });
  execFileSync(binary, ["-m", "pip", "install", "--quiet", `scikit-learn==${scikitLearn}`], { stdio: "inherit" });
  mkdirSync(join(folder, "ready"));
  return binary;
}
