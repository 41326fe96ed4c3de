import { AliasService, type Version, VersionState } from "@aimass/api/registry";
import { DeploymentService, RolloutPhase } from "@aimass/api/scheduler";
import { Output, pushModel, untilRouted } from "@aimass/cli";
import { systemClock } from "@aimass/core";
import { decodeInferResponse, encodeInferRequest, noParameters } from "@aimass/oip";
import { InferClient } from "../../support/infer-client.ts";
import type { TestMesh } from "../../support/test-mesh.ts";
import { inParallel } from "../in-parallel.ts";
import { type OnnxCase, readDataSet } from "./case.ts";
import { difference } from "./compare.ts";

const project = "default";
/** Cases of one batch are versions of one model, so that one wish deploys them all: as many as a deployment takes, with its alias. */
const batchSize = 60;
const pushesAtOnce = 3;
const callsAtOnce = 8;
const servingTimeoutMs = 180_000;

/** What became of one case: undefined when it was served with the expected outputs, else what went wrong. */
export type ServedResults = Map<string, string | undefined>;

/** Pushes each case, has it deployed, calls it through the router and compares its outputs with the expected ones. */
export async function runServed(
  mesh: TestMesh,
  cases: readonly OnnxCase[],
  tell: (line: string) => void,
  stem = "onnx-backend-tests",
): Promise<ServedResults> {
  const results: ServedResults = new Map();
  const client = new InferClient({ addresses: [mesh.address()], apiKey: mesh.apiKey, deadlineMs: 30_000 });
  try {
    const batches = Array.from({ length: Math.ceil(cases.length / batchSize) }, (_, index) => ({
      model: `${stem}-${index + 1}`,
      cases: cases.slice(index * batchSize, (index + 1) * batchSize),
    }));
    let pushing = pushBatch(mesh, batches[0], results);
    for (const [index, { model }] of batches.entries()) {
      const pushed = await pushing;
      pushing = pushBatch(mesh, batches[index + 1], results);
      const failed = await deployBatch(mesh, model, [...pushed.values()]);
      await callBatch({ client, model, pushed, failed }, results);
      await mesh.admin.client(DeploymentService).deleteDeployment({ project, model });
      tell(`${Math.min((index + 1) * batchSize, cases.length)} of ${cases.length} served`);
    }
    await pushing;
  } finally {
    client.close();
  }
  return results;
}

interface Batch {
  readonly model: string;
  readonly cases: readonly OnnxCase[];
}

async function pushBatch(
  mesh: TestMesh,
  batch: Batch | undefined,
  results: ServedResults,
): Promise<Map<OnnxCase, bigint>> {
  const pushed = new Map<OnnxCase, bigint>();
  await inParallel(batch?.cases ?? [], pushesAtOnce, async (one) => {
    try {
      const version = await pushCase(mesh, batch?.model ?? "", one);
      const mislabelled = labelProblem(version, one);
      if (mislabelled !== undefined) results.set(one.name, mislabelled);
      else if (version.state === VersionState.READY) pushed.set(one, version.version);
      else results.set(one.name, `the registry says ${VersionState[version.state]}: ${version.stateReason}`);
    } catch (error) {
      results.set(one.name, `push: ${(error as Error).message}`);
    }
  });
  return pushed;
}

function labelProblem({ signature }: Version, { labels = {} }: OnnxCase): string | undefined {
  for (const [name, wanted] of Object.entries(labels)) {
    const found = signature?.outputs.find((output) => output.name === name)?.labels ?? [];
    if (found.join("\n") !== wanted.join("\n"))
      return `output ${name} has the labels "${found}" instead of "${wanted}"`;
  }
  return undefined;
}

function pushCase(mesh: TestMesh, model: string, one: OnnxCase): Promise<Version> {
  const output = new Output({ json: true });
  return pushModel({ connection: mesh.admin, output, project, model, path: one.modelFile, labels: { case: one.name } });
}

/** Serves exactly these versions; the result says which cannot be, and why. */
async function deployBatch(mesh: TestMesh, model: string, versions: readonly bigint[]): Promise<Map<bigint, string>> {
  const [first] = versions;
  if (first === undefined) return new Map();
  await mesh.admin
    .client(AliasService)
    .moveAlias({ project, model, alias: "default", version: first, reason: "conformance" });
  const deployments = mesh.admin.client(DeploymentService);
  await deployments.putDeployment({ spec: { project, model, versions: [...versions], replicas: 1, keepWarm: 0 } });
  const deadline = systemClock.monotonic() + servingTimeoutMs;
  for (;;) {
    const { deployment } = await deployments.getDeployment({ project, model });
    const phases = new Map(deployment?.status?.versions.map((status) => [status.version, status]));
    const open = versions.filter((version) => {
      const phase = phases.get(version)?.phase;
      return phase !== RolloutPhase.SERVING && phase !== RolloutPhase.FAILED;
    });
    if (open.length === 0 || systemClock.monotonic() > deadline) {
      const failed = notServed(versions, phases, new Set(open));
      const serving = versions.filter((version) => !failed.has(version));
      const aliases = serving.map((version) => ({ alias: String(version), version }));
      await untilRouted(mesh.admin, model, { aliases, signal: AbortSignal.timeout(servingTimeoutMs) });
      return failed;
    }
    await systemClock.sleep(100);
  }
}

function notServed(
  versions: readonly bigint[],
  phases: ReadonlyMap<bigint, { phase: RolloutPhase; reason: string }>,
  open: ReadonlySet<bigint>,
): Map<bigint, string> {
  return new Map(
    versions.flatMap((version) => {
      const status = phases.get(version);
      if (status?.phase === RolloutPhase.SERVING) return [];
      const phase = status === undefined ? "not placed" : RolloutPhase[status.phase];
      const late = open.has(version) ? ` after ${servingTimeoutMs / 1000} s` : "";
      return [[version, `deploy: ${phase}${late}: ${status?.reason ?? ""}`] as const];
    }),
  );
}

interface PushedBatch {
  readonly client: InferClient;
  readonly model: string;
  readonly pushed: ReadonlyMap<OnnxCase, bigint>;
  readonly failed: ReadonlyMap<bigint, string>;
}

async function callBatch({ client, model, pushed, failed }: PushedBatch, results: ServedResults): Promise<void> {
  await inParallel([...pushed], callsAtOnce, async ([one, version]) => {
    results.set(one.name, failed.get(version) ?? (await callCase(client, { model, version }, one)));
  });
}

async function callCase(
  client: InferClient,
  { model, version }: { model: string; version: bigint },
  one: OnnxCase,
): Promise<string | undefined> {
  // All at once, so that they meet in batches.
  const problems = await Promise.all(one.dataSets.map((dataSet) => callWith(client, { model, version }, one, dataSet)));
  return problems.find((problem) => problem !== undefined);
}

async function callWith(
  client: InferClient,
  { model, version }: { model: string; version: bigint },
  one: OnnxCase,
  name: string,
): Promise<string | undefined> {
  const { inputs, outputs } = readDataSet(one, name);
  const request = {
    modelName: model,
    modelVersion: String(version),
    id: one.name,
    parameters: noParameters,
    inputs,
    outputs: [],
  };
  const outcome = await client.infer(encodeInferRequest(request));
  if (!outcome.ok) return `call: ${outcome.code}: ${outcome.message}`;
  const response = decodeInferResponse(outcome.body);
  if (response.modelVersion !== String(version)) return `version ${response.modelVersion} answered for ${version}`;
  const different = difference(response.outputs, outputs, one);
  return different;
}
