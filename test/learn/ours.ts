import { type Batch, estimatorNamed, type Features, fitFeatures, type Matrix, Random } from "@aimass/learn";
import { readCase } from "./case-files.ts";
import { cases } from "./cases.ts";

/** `node ours.ts FOLDER CASE THREADS SEED`: fits, judges and prints {score, seconds, cpuSeconds, predictSeconds, peakMiB} as JSON. */
const [folder = "", name = "", threads = "1", seed = "1"] = process.argv.slice(2);
const found = cases.find((one) => one.name === name);
if (found === undefined) throw new Error(`There is no case "${name}".`);
const { train, test } = readCase(folder);
const cpu = () => process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6;
const [startedAt, cpuAt] = [performance.now(), cpu()];
const features = isBatch(train.x) ? await featuresOf(train.x) : undefined;
const fitted = await estimatorNamed(found.estimator).fit(matrixOf(train.x, features), train.y, {
  parameters: found.parameters,
  random: new Random(Number(seed)),
  threads: Number(threads),
});
const seconds = (performance.now() - startedAt) / 1000;
const cpuSeconds = cpu() - cpuAt;
const predictedAt = performance.now();
const said = fitted.predict(matrixOf(test.x, features));
const predictSeconds = (performance.now() - predictedAt) / 1000;
const peakMiB = process.resourceUsage().maxRSS / 1024;
process.stdout.write(JSON.stringify({ score: score(), seconds, cpuSeconds, predictSeconds, peakMiB }));

function isBatch(x: Matrix | Batch): x is Batch {
  return !("kind" in x);
}

/** In batches, as datasets are read. */
function* batchesOf({ rows, columns }: Batch): Generator<Batch> {
  const column = columns.get("text");
  if (column?.type !== "string") throw new Error("The texts are missing.");
  for (let from = 0; from < rows; from += 4096) {
    const values = column.values.slice(from, from + 4096);
    yield { rows: values.length, columns: new Map([["text", { type: "string", values }]]), firstRow: from };
  }
}

function featuresOf(batch: Batch): Promise<Features> {
  const text = { kind: "text", column: "text", ...found?.features?.ours } as const;
  return fitFeatures({ columns: [{ name: "text", type: "string" }], features: [text] }, batchesOf(batch));
}

function matrixOf(x: Matrix | Batch, fittedFeatures: Features | undefined): Matrix {
  if (!isBatch(x)) return x;
  if (fittedFeatures === undefined) throw new Error("Texts need features.");
  return fittedFeatures.transform(x);
}

/** Accuracy, or R². */
function score(): number {
  if (said.kind === "classes" && test.y.kind === "classes") {
    const { indices } = test.y;
    return said.indices.filter((index, r) => index === indices[r]).length / indices.length;
  }
  if (said.kind !== "numbers" || test.y.kind !== "numbers") throw new Error("The prediction is of another kind.");
  const { values } = test.y;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const error = said.values.reduce((sum, value, r) => sum + (value - (values[r] ?? 0)) ** 2, 0);
  const spread = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return 1 - error / spread;
}
