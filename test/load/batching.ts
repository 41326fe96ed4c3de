import { readdirSync, readFileSync, statSync } from "node:fs";
import { cpus } from "node:os";
import { basename, join } from "node:path";
import { analyseRows, readModel } from "@aimass/onnx";
import { mlpModel, quantisedLabelModel, softmaxModel, tinyModel } from "@aimass/onnx/samples";
import { rowRequest } from "../support/row-request.ts";
import { TestMesh } from "../support/test-mesh.ts";
import { closedLoop } from "./closed-loop.ts";

/**
 * What sharing runs is worth, and which models do: `node test/load/batching.ts [--models FOLDER]`. Each model is served twice, as the registry found it and with
 * `batching: off`, and called by 64 at once through the router. With a folder it only says of each .onnx file below it whether its rows are proven to stay apart.
 */
const inFlight = 64;
const rounds = 3;
const seconds = 2;

const models = [
  { name: "tiny", features: 4, onnx: tinyModel() },
  { name: "softmax", features: 3, onnx: softmaxModel() },
  { name: "mlp", features: 784, onnx: mlpModel({ layers: [784, 512, 512, 10], seed: 1 }) },
  { name: "wide-mlp", features: 784, onnx: mlpModel({ layers: [784, 2048, 2048, 10], seed: 2 }) },
  { name: "quantised", features: 16, onnx: quantisedLabelModel() },
];

const at = process.argv.indexOf("--models");
const lines = at < 0 ? await measure() : verdicts(process.argv[at + 1] ?? ".");
process.stdout.write(`${lines.join("\n")}\n`);

/** One line a file, and how many are proven. */
function verdicts(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (path) => path.endsWith(".onnx") && statSync(join(folder, path)).size > 0,
  );
  const found = files.sort().map((path) => ({ path, ...analyseRows(readModel(readFileSync(join(folder, path)))) }));
  return [
    ...found.map(({ path, proven, reason }) => `${proven ? "proven" : "alone "} ${basename(path)}: ${reason}`),
    `${found.filter(({ proven }) => proven).length} of ${found.length} are proven`,
  ];
}

async function measure(): Promise<string[]> {
  await using mesh = await TestMesh.start({ replicas: 1 });
  const rates = new Map<string, number[]>();
  const shares = new Map<string, boolean>();
  for (const { name, onnx } of models) {
    const version = await mesh.serve(name, onnx, 1);
    shares.set(name, version.signature?.batchable ?? false);
    await mesh.serve(`${name}-off`, onnx, 1, { manifest: "batching: off\n" });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, features } of models) {
      for (const model of [name, `${name}-off`]) {
        const body = rowRequest(model, features, { framed: true });
        const headers = () => ({ authorization: `Bearer ${mesh.apiKey}` });
        const { rate, failed } = await closedLoop({ address: mesh.address(), body, headers }, inFlight, seconds);
        if (failed > 0) throw new Error(`${failed} calls of ${model} failed.`);
        rates.set(model, [...(rates.get(model) ?? []), rate]);
      }
    }
  }
  const median = (model: string) => rates.get(model)?.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN;
  return [
    `${cpus().length} × ${cpus()[0]?.model.trim()}, Node ${process.versions.node}; ${inFlight} in flight, medians of ${rounds} rounds of ${seconds} s`,
    "",
    "| model | shares runs | samples/s as found | samples/s with batching off | ratio |",
    "|---|---|---|---|---|",
    ...models.map(({ name }) => {
      const [on, off] = [median(name), median(`${name}-off`)];
      return `| ${name} | ${shares.get(name) ? "yes" : "no"} | ${on.toFixed(0)} | ${off.toFixed(0)} | ${(on / off).toFixed(2)} |`;
    }),
  ];
}
