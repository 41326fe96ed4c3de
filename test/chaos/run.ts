import { writeFileSync } from "node:fs";
import { encodeInferRequest } from "@aimass/oip";
import { mlpModel, slowModel, tinyModel } from "@aimass/onnx/samples";
import { InferClient } from "../support/infer-client.ts";
import { TestMesh } from "../support/test-mesh.ts";
import { Traffic, type TrafficCount, type TrafficKind, total } from "../support/traffic.ts";
import { ChaosContext } from "./context.ts";
import { scenarios } from "./scenarios.ts";
import { shardingScenario } from "./sharding.ts";

/** One line of the table. */
export interface ChaosResult {
  readonly scenario: string;
  readonly count: TrafficCount;
  readonly recoveredMs: number;
  readonly problem: string | undefined;
}

const only = process.argv.find((argument) => argument.startsWith("--only="))?.slice("--only=".length);
const json = process.argv[process.argv.indexOf("--json") + 1];
const results: ChaosResult[] = [];

if (only === undefined || only !== "sharding") await runScenarios();
if (only === undefined || only === "sharding") results.push(await shardingScenario());

const failed = results.filter((result) => result.problem !== undefined);
process.stdout.write(`\n${table(results)}\n\n${results.length - failed.length} passed, ${failed.length} failed\n`);
if (process.argv.includes("--json") && json !== undefined) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function runScenarios(): Promise<void> {
  await using mesh = await TestMesh.start({ replicas: 2, routers: 2, schedulers: 2 });
  await mesh.serve("mlp", mlpModel({ layers: [784, 64, 10], seed: 1 }), 2);
  await mesh.serve("tiny", tinyModel(), 2);
  await mesh.serve("hang", slowModel(), 2);
  const context = new ChaosContext(mesh, ["mlp", "tiny", "hang"], 2);
  const kinds = [kind("mlp", 784), kind("tiny", 4)];
  const single = new InferClient({ addresses: [mesh.address()], apiKey: mesh.apiKey, deadlineMs: 8000 });
  const double = new InferClient({
    addresses: [mesh.address(0), mesh.address(1)],
    apiKey: mesh.apiKey,
    deadlineMs: 8000,
  });
  for (const scenario of scenarios) {
    if (only !== undefined && !scenario.name.includes(only)) continue;
    await context.recovered();
    const traffic = new Traffic({
      client: scenario.client === "one-router" ? single : double,
      kinds,
      inFlight: 8,
      pauseMs: 2,
    });
    await context.wait(500);
    traffic.take();
    let recoveredMs = 0;
    let problem: string | undefined;
    try {
      await scenario.strike(context);
      recoveredMs = await context.recovered();
      await context.wait(500);
    } catch (error) {
      problem = (error as Error).message;
    }
    await traffic.stop();
    const count = total(traffic.take());
    if (count.failed > 0) problem = `${problem === undefined ? "" : `${problem} `}${count.failures.join("; ")}`;
    if (count.sent < 50) problem ??= `only ${count.sent} requests were sent: that shows nothing`;
    const result = { scenario: scenario.name, count, recoveredMs, problem };
    results.push(result);
    process.stdout.write(`${line(result)}\n`);
  }
  single.close();
  double.close();
}

function kind(model: string, features: number): TrafficKind {
  const bytes = Buffer.from(new Float32Array(features).fill(0.5).buffer);
  const request = encodeInferRequest({
    modelName: model,
    modelVersion: "",
    id: "",
    parameters: new Map(),
    inputs: [{ name: "x", datatype: "FP32", shape: [1, features], bytes, parameters: new Map() }],
    outputs: [],
  });
  return { name: model, request };
}

function line(r: ChaosResult): string {
  return `${r.problem === undefined ? "ok  " : "FAIL"} ${r.scenario}: ${r.count.sent} requests, ${r.count.failed} failed, p99 ${r.count.p99.toFixed(0)} ms, worst ${r.count.worst.toFixed(0)} ms, well again ${(r.recoveredMs / 1000).toFixed(1)} s after${r.problem === undefined ? "" : `\n     ${r.problem}`}`;
}

function table(rows: readonly ChaosResult[]): string {
  return [
    "| what happens under load | requests | failed | p99 ms | worst ms | well again after |",
    "|---|---|---|---|---|---|",
    ...rows.map(
      (r) =>
        `| ${r.scenario} | ${r.count.sent} | ${r.count.failed} | ${r.count.p99.toFixed(0)} | ${r.count.worst.toFixed(0)} | ${(r.recoveredMs / 1000).toFixed(1)} s |`,
    ),
  ].join("\n");
}
