import { cpus } from "node:os";
import { estimators, type FitOptions, Random } from "@aimass/learn";
import { madeRows } from "../learn/made-rows.ts";

/**
 * Times fits on made-up rows: `node test/load/learn.ts [--rows 100000] [--cols 50] [--classes 2] [--threads 1] [--only NAME,NAME] [--rounds 3]`. Prints
 * the best of the rounds.
 */
const option = (name: string, fallback: string) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : (process.argv[at + 1] ?? fallback);
};
const [rows, cols, classes] = ["rows", "cols", "classes"].map((name, i) =>
  Number(option(name, ["100000", "50", "2"][i] as string)),
) as [number, number, number];
const threads = Number(option("threads", "1"));
const rounds = Number(option("rounds", "3"));
const only = option("only", "").split(",").filter(Boolean);

const data = madeRows({ rows, cols, classes, seed: 1 });
process.stdout.write(
  `${rows} × ${cols}, ${classes} classes, ${threads} threads, ${cpus()[0]?.model}, node ${process.version}\n`,
);
for (const estimator of estimators) {
  if (only.length > 0 && !only.includes(estimator.name)) continue;
  if (only.length === 0 && /forest|neighbours/.test(estimator.name)) continue;
  const x = estimator.name.startsWith("multinomial") ? { ...data.x, data: data.x.data.map(Math.abs) } : data.x;
  const y = estimator.task === "regression" ? data.numbers : data.classes;
  let [wall, cpu, steps] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0];
  for (let round = 0; round < rounds; round++) {
    const options: FitOptions = {
      random: new Random(1),
      threads,
      onProgress: (step) => {
        steps = step;
      },
    };
    const [startedAt, usage] = [performance.now(), process.cpuUsage()];
    await estimator.fit(x, y, options);
    wall = Math.min(wall, performance.now() - startedAt);
    cpu = Math.min(cpu, process.cpuUsage(usage).user / 1000);
  }
  process.stdout.write(
    `${estimator.name.padEnd(32)} ${wall.toFixed(0).padStart(7)} ms   ${cpu.toFixed(0).padStart(7)} ms of CPU   ${steps} steps\n`,
  );
}
