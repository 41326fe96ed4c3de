import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { cases } from "./cases.ts";
import { type Comparison, compare } from "./comparison.ts";
import { judgeScikitLearn, pythonWithScikitLearn } from "./scikit-learn.ts";

/**
 * Our estimators beside scikit-learn's, case by case in turns on the same rows: `npm run train:compare -- [--only TEXT] [--rounds 3] [--threads 2]
 * [--json FILE]`. Prints one table and fails for a score that is missed; a time over its gate is only told, for machines differ.
 */
const option = (name: string) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
};
const verdict = judgeScikitLearn();
process.exitCode = verdict.kind === "run" ? runAll() : reportMissing(verdict);

function reportMissing({ kind, reason }: { kind: "skip" | "fail"; reason: string }): number {
  process.stdout.write(`${kind === "skip" ? "skip" : "FAIL"} comparison with scikit-learn: ${reason}\n`);
  return kind === "skip" ? 0 : 1;
}

function runAll(): number {
  const rounds = Number(option("rounds") ?? 3);
  const threads = Number(option("threads") ?? 2);
  const python = pythonWithScikitLearn();
  const machine = `${cpus().length} cores of ${cpus()[0]?.model.trim()}, Node ${process.version}, threads: ${threads}, rounds: ${rounds}`;
  const heads = [
    "case",
    "ours",
    "theirs",
    "ours s",
    "theirs s",
    "ratio",
    "CPU ratio",
    "ours MiB",
    "theirs MiB",
    "gates",
  ];
  process.stdout.write(
    `${machine}\n\n| ${heads.join(" | ")} |\n|${heads.map((_, i) => (i % 9 === 0 ? "---" : "---:")).join("|")}|\n`,
  );
  const found: Comparison[] = [];
  const broken: string[] = [];
  for (const one of cases.filter(({ name }) => name.includes(option("only") ?? ""))) {
    try {
      const comparison = compare(one, { python, rounds, threads });
      process.stdout.write(`| ${cellsOf(comparison).join(" | ")} |\n`);
      found.push(comparison);
    } catch (error) {
      process.stdout.write(`| ${one.name} |${" |".repeat(8)} **failed** |\n`);
      broken.push(`${one.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const file = option("json");
  if (file !== undefined)
    writeFileSync(file, `${JSON.stringify({ machine, rounds, threads, comparisons: found }, null, 2)}\n`);
  return conclude(found, broken);
}

function cellsOf({ name, ours, theirs, ratio, cpuRatio, timeGate, scoreHolds, timeHolds }: Comparison): string[] {
  const gates = [
    scoreHolds ? "score holds" : "**score missed**",
    timeGate === undefined ? "" : timeHolds ? `≤ ${timeGate}× holds` : `**over the gate of ${timeGate}×**`,
  ];
  const both = (pick: (outcome: Comparison["ours"]) => number, digits: number) =>
    [ours, theirs].map((outcome) => pick(outcome).toFixed(digits));
  return [
    name,
    ...both((o) => o.score, 4),
    ...both((o) => o.seconds, 2),
    ratio.toFixed(2),
    cpuRatio.toFixed(2),
    ...both((o) => o.peakMiB, 0),
    gates.filter(Boolean).join("; "),
  ];
}

/** The exit code: 1 for a missed score or a case that failed, and where nothing was compared. */
function conclude(found: readonly Comparison[], broken: readonly string[]): number {
  const missed = found.filter(({ scoreHolds }) => !scoreHolds).length;
  const late = found.filter(({ timeHolds }) => !timeHolds).length;
  for (const line of broken) process.stdout.write(`\n${line}\n`);
  const counts = `${found.length} compared, ${missed} scores missed, ${late} over their gate of time, ${broken.length} failed`;
  process.stdout.write(`\n${counts}\n`);
  return missed + broken.length === 0 && found.length > 0 ? 0 : 1;
}
