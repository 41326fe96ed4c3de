import { writeFileSync } from "node:fs";
import { mlpModel, slowModel, tinyModel } from "@aimass/onnx/samples";
import { startNats } from "@aimass/testkit";
import { InferClient } from "../support/infer-client.ts";
import { TestMesh } from "../support/test-mesh.ts";
import { rowsOf, Traffic, total } from "../support/traffic.ts";
import type { ChaosResult } from "./chaos-result.ts";
import { clocksScenario, faketimeLibrary } from "./clocks.ts";
import { ChaosContext } from "./context.ts";
import { canHaveDisk, diskFullScenario } from "./disk-full.ts";
import { type Scenario, scenarios } from "./scenarios.ts";
import { shardingScenario } from "./sharding.ts";

interface OwnMesh {
  readonly name: string;
  readonly run: () => Promise<ChaosResult>;
  readonly needs?: { readonly what: string; readonly isHere: () => boolean };
}

/** Deadline of every call. */
const deadlineMs = 8000;
/** Traffic before and after the harm. */
const aroundMs = 1000;
/** Fewer show nothing. */
const leastRequests = 50;
const only = process.argv.find((argument) => argument.startsWith("--only="))?.slice("--only=".length);
const json = process.argv[process.argv.indexOf("--json") + 1];
const results: ChaosResult[] = [];

/** Scenarios that need a mesh of their own, by the name that `--only` knows them by. */
const ownMeshes: readonly OwnMesh[] = [
  { name: "sharding", run: shardingScenario },
  {
    name: "clocks",
    run: clocksScenario,
    needs: { what: "libfaketime", isHere: () => faketimeLibrary !== undefined },
  },
  { name: "disk-full", run: diskFullScenario, needs: { what: "a small tmpfs (root)", isHere: canHaveDisk } },
];

if (!ownMeshes.some(({ name }) => name === only)) await runScenarios();
for (const own of ownMeshes) {
  if (only !== undefined && only !== own.name) continue;
  const result = own.needs?.isHere() === false ? skipped({ name: own.name, needs: own.needs.what }) : await own.run();
  results.push(result);
  process.stdout.write(`${line(result)}\n`);
}

const failed = results.filter((result) => result.problem !== undefined);
process.stdout.write(`\n${table(results)}\n\n${results.length - failed.length} passed, ${failed.length} failed\n`);
if (process.argv.includes("--json") && json !== undefined) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function runScenarios(): Promise<void> {
  await using nats = await startNats();
  await using mesh = await TestMesh.start({
    replicas: 2,
    routers: 2,
    schedulers: 2,
    ...(nats && { env: { NATS_URL: nats.url } }),
  });
  await mesh.serve("mlp", mlpModel({ layers: [784, 64, 10], seed: 1 }), 2);
  await mesh.serve("tiny", tinyModel(), 2);
  // A run of this one may take 3 s before its replica ends itself.
  await mesh.serve("hang", slowModel(), 2, { runLimitMs: 3000 });
  const context = new ChaosContext({ mesh, models: ["mlp", "tiny", "hang"], replicasOfEach: 2, nats });
  const clients = {
    "one-router": new InferClient({ addresses: [mesh.address()], apiKey: mesh.apiKey, deadlineMs }),
    "two-routers": new InferClient({ addresses: [mesh.address(0), mesh.address(1)], apiKey: mesh.apiKey, deadlineMs }),
  };
  for (const scenario of scenarios) {
    if (only !== undefined && !scenario.name.includes(only)) continue;
    const result =
      scenario.needs !== undefined && nats === undefined
        ? skipped(scenario)
        : await runScenario(scenario, context, clients[scenario.client]);
    results.push(result);
    process.stdout.write(`${line(result)}\n`);
  }
  for (const client of Object.values(clients)) client.close();
}

async function runScenario(scenario: Scenario, context: ChaosContext, client: InferClient): Promise<ChaosResult> {
  await context.begin();
  const traffic = new Traffic({ client, kinds: [rowsOf("mlp", 784), rowsOf("tiny", 4)], inFlight: 32, pauseMs: 0 });
  await context.wait(aroundMs);
  traffic.take();
  let recoveredMs = 0;
  let problem: string | undefined;
  try {
    await scenario.strike(context);
    recoveredMs = await context.recovered();
    await context.wait(aroundMs);
  } catch (error) {
    problem = (error as Error).message;
  }
  await traffic.stop();
  const count = total(traffic.take());
  if (count.failed > 0) problem = [problem, ...count.failures].filter(Boolean).join("; ");
  if (count.sent < leastRequests) problem ??= `only ${count.sent} requests were sent: that shows nothing`;
  return { scenario: scenario.name, count, recoveredMs, problem };
}

/** A plain machine reports what it lacks; with CI=true that is a failure. */
function skipped(scenario: { readonly name: string; readonly needs?: string }): ChaosResult {
  const problem = process.env.CI === "true" ? `needs ${scenario.needs}, which is not here` : undefined;
  process.stdout.write(`skipped: ${scenario.name} (need: ci): ${scenario.needs} is not here\n`);
  return { scenario: `${scenario.name} (skipped)`, count: total(new Map()), recoveredMs: 0, problem };
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
