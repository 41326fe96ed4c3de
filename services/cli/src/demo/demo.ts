import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AccessService, DirectoryService, Effect, Level } from "@aimass/api/auth";
import { GRPCInferenceService } from "@aimass/api/inference";
import { AliasService } from "@aimass/api/registry";
import { LoadState } from "@aimass/api/scheduler";
import { AimassError, systemClock } from "@aimass/core";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Connection } from "../client/connection.ts";
import { CredentialsFile } from "../client/credentials.ts";
import { waitUntilServed } from "../client/until-served.ts";
import { wholeFleet } from "../client/whole-fleet.ts";
import { pushDataset } from "../commands/datasets.ts";
import { deployModel } from "../commands/deploy.ts";
import { Output } from "../output/output.ts";
import { trainModel } from "../training/follow-job.ts";
import { type DemoRow, rawInputs } from "./demo-row.ts";
import type { DemoTarget } from "./demo-target.ts";
import { Traffic, type TrafficReport } from "./traffic.ts";

/** What the demo showed, for its summary and for whoever runs it in a script. */
export interface DemoResult {
  readonly model: string;
  readonly versions: readonly number[];
  readonly r2: number;
  readonly phases: readonly { readonly phase: string; readonly report: TrafficReport; readonly note: string }[];
  readonly failed: number;
  readonly apiKey: string;
}

const project = "default";
const model = "diabetes";
const account = "demo";
const csv = fileURLToPath(new URL("../../data/diabetes.csv", import.meta.url));
/** Calls in flight during the traffic phases. */
const inFlight = 8;

/** The main job on real data: train → evaluate → register → deploy → call → swap → roll back → kill a replica. */
export class Demo {
  readonly #target: DemoTarget;
  readonly #tell: (line: string) => void;
  readonly #folder = mkdtempSync(join(tmpdir(), "aimass-demo-"));
  readonly #admin: Connection;
  readonly #output = new Output({ json: true });
  readonly #granted: { grantId: string; keyId: string }[] = [];

  constructor(target: DemoTarget, tell: (line: string) => void) {
    this.#target = target;
    this.#tell = tell;
    this.#admin = new Connection(target.url, {
      kind: "session",
      file: new CredentialsFile(join(this.#folder, "credentials.json")),
    });
  }

  async run(): Promise<DemoResult> {
    await this.#signIn();
    const first = await this.#train("v1: plain least squares", { l2: 0 });
    await this.#serve(first.version);
    const apiKey = await this.#grantKey();
    const row = firstRow();
    await this.#callEveryWay(apiKey, row);
    const second = await this.#train("v2: ridge, l2 = 10", { l2: 10 });
    const phases = await this.#underLoad(apiKey, row, first.version, second.version);
    return {
      model,
      versions: [Number(first.version), Number(second.version)],
      r2: first.r2,
      phases,
      failed: phases.reduce((sum, { report }) => sum + report.failed, 0),
      apiKey,
    };
  }

  /** Takes back the key and the grant that the demo gave, and forgets its session. */
  async takeBack(): Promise<void> {
    for (const { grantId, keyId } of this.#granted) {
      await this.#admin.client(DirectoryService).revokeApiKey({ id: keyId });
      await this.#admin.client(AccessService).deleteGrant({ id: grantId });
    }
    await this.#admin.signOut();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #signIn(): Promise<void> {
    const password = this.#target.adminPassword();
    if (password === undefined)
      throw new AimassError(
        "FAILED_PRECONDITION",
        "The administrator's first password is no longer in the data directory.",
        { remedy: "Run the demo on a fresh one: npm run demo -- --data .aimass-demo" },
      );
    await this.#admin.signIn("admin", password);
  }

  async #train(label: string, parameters: Record<string, number>): Promise<{ version: bigint; r2: number }> {
    const dataset = await pushDataset({
      connection: this.#admin,
      output: this.#output,
      project,
      dataset: "diabetes",
      file: csv,
      source: "Efron et al. 2004",
    });
    const startedAt = performance.now();
    const job = await trainModel({
      connection: this.#admin,
      output: this.#output,
      spec: {
        project,
        model,
        recipe: "linear",
        dataset: "diabetes",
        datasetVersion: dataset.version,
        target: "progression",
        testShare: 0.2,
        seed: 7n,
        parameters,
      },
    });
    const r2 = job.metrics.r2 ?? Number.NaN;
    this.#tell(
      `train     ${label}: ${dataset.rows} patients, R² ${r2.toFixed(3)}, RMSE ${job.metrics.rmse?.toFixed(1)} on the held-out fifth; registered as ${model} v${job.modelVersion} (${ms(startedAt)})`,
    );
    return { version: job.modelVersion, r2 };
  }

  async #serve(version: bigint): Promise<void> {
    const startedAt = performance.now();
    await this.#moveAlias(version, "demo: first version");
    const summary = await deployModel(this.#admin, { project, model, replicas: 2 });
    this.#tell(`deploy    ${summary} (${ms(startedAt)})`);
  }

  async #grantKey(): Promise<string> {
    const directory = this.#admin.client(DirectoryService);
    const { serviceAccounts } = await directory.listServiceAccounts({});
    if (!serviceAccounts.some((existing) => existing.name === account))
      await directory.createServiceAccount({ name: account, description: "the demo's traffic" });
    const { grant } = await this.#admin.client(AccessService).putGrant({
      grant: {
        subject: `service-account:${account}`,
        resource: `${project}.${model}`,
        level: Level.INFER,
        effect: Effect.ALLOW,
      },
    });
    const { key, secret } = await directory.createApiKey({
      principal: `service-account:${account}`,
      description: "demo",
    });
    this.#granted.push({ grantId: grant?.id ?? "", keyId: key?.id ?? "" });
    this.#tell(
      `grant     service-account:${account} may infer on ${model}, and nothing else; its API key is ${key?.id}…`,
    );
    return secret;
  }

  async #callEveryWay(apiKey: string, row: DemoRow): Promise<void> {
    const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
    const url = this.#target.url;
    const grpc = createClient(GRPCInferenceService, createGrpcTransport({ baseUrl: url }));
    const answer = await grpc.modelInfer(
      { modelName: model, ...rawInputs(row) },
      { headers: { authorization: headers.authorization }, timeoutMs: 10_000 },
    );
    const viaGrpc = Buffer.from(answer.rawOutputContents[0] as Uint8Array).readFloatLE(0);
    const rest = await fetch(`${url}/v2/models/${model}/infer`, {
      method: "POST",
      headers,
      body: JSON.stringify({
        inputs: Object.entries(row).map(([name, value]) => ({ name, datatype: "FP32", shape: [1], data: [value] })),
      }),
    });
    const viaRest = ((await succeeded(rest)) as { outputs: { data: number[] }[] }).outputs[0]?.data[0] as number;
    const predict = await fetch(`${url}/models/${model}/predict`, {
      method: "POST",
      headers,
      body: JSON.stringify({ inputs: row }),
    });
    const viaPredict = (
      [((await succeeded(predict)) as { predictions: unknown[] }).predictions[0]].flat(3) as number[]
    )[0] as number;
    this.#tell(
      `call      gRPC ${viaGrpc.toFixed(2)} · REST v2 ${viaRest.toFixed(2)} · /predict ${viaPredict.toFixed(2)} for the first patient, who was at ${firstTarget()}`,
    );
    const stranger = await fetch(`${url}/v2/models/${model}/infer`, { method: "POST", body: "{}" });
    this.#tell(`          without a key: ${stranger.status} ${stranger.statusText}`);
  }

  async #underLoad(apiKey: string, row: DemoRow, first: bigint, second: bigint): Promise<DemoResult["phases"]> {
    const traffic = new Traffic({ url: this.#target.url, apiKey, model, row, inFlight });
    const phases: { phase: string; report: TrafficReport; note: string }[] = [];
    const close = (phase: string, note: string) => {
      const report = traffic.report();
      phases.push({ phase, report, note });
      this.#tell(
        `load      ${phase}: ${report.sent} requests, ${report.failed} failed, p50 ${report.p50.toFixed(1)} ms, p99 ${report.p99.toFixed(1)} ms${note === "" ? "" : `; ${note}`}${report.firstFailure === undefined ? "" : ` — first failure: ${report.firstFailure}`}`,
      );
    };
    try {
      await systemClock.sleep(1500);
      close("steady", "");
      const swappedMs = await this.#switch(traffic, second, () => this.#moveAlias(second, "demo: ridge"));
      await systemClock.sleep(1000);
      close("swap to v2", `first answer by v${second} after ${swappedMs.toFixed(0)} ms`);
      const backMs = await this.#switch(traffic, first, async () => {
        await this.#admin
          .client(AliasService)
          .rollbackAlias({ project, model, alias: "default", reason: "demo: roll back" });
      });
      await systemClock.sleep(1000);
      close("roll back", `v${first} was kept warm and answers again after ${backMs.toFixed(0)} ms`);
      const recoveredMs = await this.#killReplica();
      await systemClock.sleep(500);
      close("SIGKILL a replica", `back in service after ${recoveredMs.toFixed(0)} ms`);
    } finally {
      await traffic.stop();
    }
    return phases;
  }

  async #switch(traffic: Traffic, version: bigint, move: () => Promise<unknown>): Promise<number> {
    const startedAt = performance.now();
    const served = traffic.servedBy(String(version));
    await move();
    await served;
    const elapsed = performance.now() - startedAt;
    await waitUntilServed(this.#admin, { project, model });
    return elapsed;
  }

  /** Kills a replica process the hard way and waits until the scheduler sees it live again, with the model loaded. Returns milliseconds. */
  async #killReplica(): Promise<number> {
    const before = await this.#incarnations();
    const startedAt = performance.now();
    await this.#target.killReplica();
    while (performance.now() - startedAt < 30_000) {
      await systemClock.sleep(50);
      const now = await this.#incarnations();
      const all = [...before.keys()].every((id) => now.has(id));
      if (all && [...now].some(([id, incarnation]) => before.get(id) !== incarnation))
        return performance.now() - startedAt;
    }
    throw new AimassError("DEADLINE_EXCEEDED", "The killed replica did not come back within 30 s.");
  }

  /** Live replicas that hold the model ready, with their incarnations. */
  async #incarnations(): Promise<Map<string, string>> {
    const { nodes, standaloneReplicas } = await wholeFleet(this.#admin);
    const all = [...nodes.flatMap((node) => node.replicas), ...standaloneReplicas];
    const holding = all.filter((r) => r.live && r.loaded.some((v) => v.model === model && v.state === LoadState.READY));
    return new Map(holding.map((r) => [r.id, r.incarnation]));
  }

  async #moveAlias(version: bigint, reason: string): Promise<void> {
    await this.#admin.client(AliasService).moveAlias({ project, model, alias: "default", version, reason });
  }
}

async function succeeded(response: Response): Promise<unknown> {
  if (!response.ok)
    throw new AimassError("INTERNAL", `${response.url} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

function firstLines(): readonly (readonly string[])[] {
  return readFileSync(csv, "utf8")
    .split("\n", 2)
    .map((line) => line.trim().split(","));
}

function firstCells(): number[] {
  return (firstLines()[1] ?? []).map(Number);
}

/** The first patient: an input for each column but the target. */
function firstRow(): DemoRow {
  const [names = []] = firstLines();
  const cells = firstCells().map((cell, i) => [names[i] as string, cell] as const);
  return Object.fromEntries(cells.slice(0, -1));
}

function firstTarget(): number {
  return firstCells().at(-1) as number;
}

function ms(startedAt: number): string {
  return `${Math.round(performance.now() - startedAt)} ms`;
}
