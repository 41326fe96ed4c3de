import { estimatorNamed, Random } from "@aimass/learn";
import { readCase } from "./case-files.ts";
import { cases } from "./cases.ts";

/** `node ours.ts FOLDER CASE THREADS`: fits, judges and prints {score, seconds, cpuSeconds, predictSeconds, peakMiB} as JSON. */
const [folder = "", name = "", threads = "1"] = process.argv.slice(2);
const found = cases.find((one) => one.name === name);
if (found === undefined) throw new Error(`There is no case "${name}".`);
const { train, test } = readCase(folder);
const cpu = () => process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6;
const [startedAt, cpuAt] = [performance.now(), cpu()];
const fitted = await estimatorNamed(found.estimator).fit(train.x, train.y, {
  parameters: found.parameters,
  random: new Random(1),
  threads: Number(threads),
});
const seconds = (performance.now() - startedAt) / 1000;
const cpuSeconds = cpu() - cpuAt;
const predictedAt = performance.now();
const said = fitted.predict(test.x);
const predictSeconds = (performance.now() - predictedAt) / 1000;
const peakMiB = process.resourceUsage().maxRSS / 1024;
process.stdout.write(JSON.stringify({ score: score(), seconds, cpuSeconds, predictSeconds, peakMiB }));

/** Accuracy, or R². */
function score(): number {
  if (said.kind === "classes" && test.y.kind === "classes") {
    const { indices } = test.y;
    return said.indices.filter((index, r) => index === indices[r]).length / indices.length;
  }
  if (said.kind !== "numbers" || test.y.kind !== "numbers") throw new Error("The prediction is of another kind.");
  const { values } = test.y;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const [error, spread] = values.reduce(
    ([e, s], value, r) => [
      e + (value - (said.kind === "numbers" ? (said.values[r] ?? 0) : 0)) ** 2,
      s + (value - mean) ** 2,
    ],
    [0, 0] as [number, number],
  );
  return 1 - error / spread;
}
