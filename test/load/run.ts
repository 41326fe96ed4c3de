import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { FleetService } from "@aimass/api/scheduler";
import { readConfig, systemClock } from "@aimass/core";
import { ServiceIdentity } from "@aimass/identity";
import { mlpModel, tinyModel } from "@aimass/onnx/samples";
import { rowRequest } from "../support/row-request.ts";
import { TestMesh } from "../support/test-mesh.ts";
import { bareRuns } from "./bare.ts";
import { closedLoop, type LoadResult, type LoadTarget } from "./closed-loop.ts";

/** Calls in flight. */
const concurrencies = [1, 8, 64];
const { rounds, seconds } = readConfig(process.env, (v) => ({
  rounds: v.integer("AIMASS_BENCH_ROUNDS", { fallback: 3, minimum: 1, maximum: 1000 }),
  seconds: v.number("AIMASS_BENCH_SECONDS", { fallback: 2, minimum: 0.1, maximum: 3600 }),
}));
const models = [
  { name: "tiny", features: 4, onnx: tinyModel() },
  { name: "mlp", features: 784, onnx: mlpModel({ layers: [784, 512, 512, 10], seed: 1 }) },
];

interface Row {
  readonly model: string;
  readonly way: string;
  readonly inFlight: number;
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
}

const file = process.argv.includes("--json") ? process.argv[process.argv.indexOf("--json") + 1] : undefined;
const rows = await measure();
const report = { machine: machine(), rounds, seconds, rows, ratios: ratios(rows) };
process.stdout.write(`${render(report)}\n`);
if (file !== undefined) writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
process.exitCode = rows.some((row) => row.failed > 0) ? 1 : 0;

/** Every way in turn, round after round, so that a machine that slows down slows all of them. */
async function measure(): Promise<Row[]> {
  await using mesh = await TestMesh.start({ replicas: 1 });
  const samples = new Map<string, { row: Omit<Row, "rate" | "p50" | "p99" | "failed">; results: LoadResult[] }>();
  const note = (model: string, way: string, inFlight: number, result: LoadResult) => {
    const key = `${model}/${way}/${inFlight}`;
    const entry = samples.get(key) ?? { row: { model, way, inFlight }, results: [] };
    entry.results.push(result);
    samples.set(key, entry);
  };
  for (const model of models) await mesh.serve(model.name, model.onnx, 1);
  const identity = await ServiceIdentity.load(
    mesh.mesh.data.identityFile("router"),
    mesh.mesh.data.trustFile,
    systemClock,
  );
  const replica = (await mesh.admin.client(FleetService).listNodes({})).nodes[0]?.replicas[0]?.address as string;
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, features, onnx } of models) {
      for (const batch of [1, 32]) {
        const rate = await bareRuns({ onnx, features, batch, seconds });
        note(name, `bare run(), batch ${batch}`, 1, { rate, p50: (1000 * batch) / rate, p99: Number.NaN, failed: 0 });
      }
      const body = rowRequest(name, features, { framed: true });
      const direct: LoadTarget = {
        address: replica,
        body,
        headers: () => ({
          "aimass-service": identity.token(),
          "aimass-principal": "service-account:traffic",
          "aimass-model": `default.${name}`,
          "aimass-version": "1",
        }),
      };
      const routed: LoadTarget = {
        address: mesh.address(),
        body,
        headers: () => ({ authorization: `Bearer ${mesh.apiKey}` }),
      };
      for (const inFlight of concurrencies) {
        note(name, "replica", inFlight, await closedLoop(direct, inFlight, seconds));
        note(name, "router → replica", inFlight, await closedLoop(routed, inFlight, seconds));
      }
    }
    process.stderr.write(`round ${round + 1} of ${rounds} done\n`);
  }
  return [...samples.values()].map(({ row, results }) => ({
    ...row,
    rate: median(results.map((r) => r.rate)),
    p50: median(results.map((r) => r.p50)),
    p99: median(results.map((r) => r.p99)),
    failed: results.reduce((sum, r) => sum + r.failed, 0),
  }));
}

/** The ratios we hold ourselves to. */
function ratios(all: readonly Row[]): { what: string; ratio: number }[] {
  const rate = (model: string, way: string, inFlight: number) =>
    all.find((r) => r.model === model && r.way === way && r.inFlight === inFlight)?.rate ?? Number.NaN;
  const p50 = (model: string, way: string) =>
    all.find((r) => r.model === model && r.way === way && r.inFlight === 1)?.p50 ?? Number.NaN;
  return [
    {
      what: "mlp: replica at 64 in flight / bare run() unbatched",
      ratio: rate("mlp", "replica", 64) / rate("mlp", "bare run(), batch 1", 1),
    },
    {
      what: "mlp: replica at 64 in flight / bare run() of batch 32",
      ratio: rate("mlp", "replica", 64) / rate("mlp", "bare run(), batch 32", 1),
    },
    {
      what: "mlp: kept through the router at 64 in flight",
      ratio: rate("mlp", "router → replica", 64) / rate("mlp", "replica", 64),
    },
    {
      what: "tiny: kept through the router at 64 in flight",
      ratio: rate("tiny", "router → replica", 64) / rate("tiny", "replica", 64),
    },
    {
      what: "mlp: milliseconds the router adds to p50 at 1 in flight",
      ratio: p50("mlp", "router → replica") - p50("mlp", "replica"),
    },
  ];
}

function render(report_: {
  machine: string;
  rows: readonly Row[];
  ratios: readonly { what: string; ratio: number }[];
}): string {
  const number = (value: number, digits: number) => (Number.isNaN(value) ? "" : value.toFixed(digits));
  return [
    `${report_.machine}; medians of ${rounds} interleaved rounds of ${seconds} s`,
    "",
    "| model | way | in flight | samples/s | p50 ms | p99 ms | failed |",
    "|---|---|---|---|---|---|---|",
    ...report_.rows.map(
      (r) =>
        `| ${r.model} | ${r.way} | ${r.inFlight} | ${number(r.rate, 0)} | ${number(r.p50, 2)} | ${number(r.p99, 2)} | ${r.failed} |`,
    ),
    "",
    "| ratio | value |",
    "|---|---|",
    ...report_.ratios.map((r) => `| ${r.what} | ${number(r.ratio, 2)} |`),
  ].join("\n");
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model.trim()}, Node ${process.versions.node}, ${process.platform} ${process.arch}`;
}
