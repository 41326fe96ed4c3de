import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BatchingChoice, ColumnKind, VersionState } from "@aimass/api/registry";
import { EvaluationReportSchema, JobSpecSchema } from "@aimass/api/trainer";
import { systemClock } from "@aimass/core";
import { defaultLimits } from "@aimass/datasets";
import { createMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { Random } from "@aimass/learn";
import { closeServiceClients } from "@aimass/rpc";
import { silentTelemetry } from "@aimass/telemetry";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { checkSpec, fitSpec } from "../jobs/job-spec.ts";
import { RegistryLibrary } from "../library/registry-library.ts";
import type { Reporter } from "../recipes/recipe.ts";
import { type SmallRegistry, startSmallRegistry } from "../testing/small-registry.ts";
import { runJob } from "./run-job.ts";

type Init = Exclude<MessageInitShape<typeof JobSpecSchema>, { $typeName: string }>;
type Report = MessageInitShape<typeof EvaluationReportSchema>;

let directory: string;
let registry: SmallRegistry;
let library: RegistryLibrary;
let jobs = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "aimass-test-"));
  await createMeshIdentity(directory, ["registry", "trainer"]);
});

beforeEach(async () => {
  registry = await startSmallRegistry(await identity("registry"));
  registry.addDataset("fruit", fruit(400));
  const trainer = await identity("trainer");
  const telemetry = silentTelemetry();
  const options = { addresses: [registry.address], identity: trainer, onBehalfOf: "user:ada" };
  library = new RegistryLibrary({ ...options, clock: systemClock, telemetry });
});

afterEach(() => registry.server.drain(0));

afterAll(async () => {
  closeServiceClients();
  await rm(directory, { recursive: true });
});

const identity = (role: string) =>
  ServiceIdentity.load(join(directory, `${role}.identity.json`), join(directory, "trust.json"), systemClock);

/** Weight and price follow from the size, with some noise that depends on the row alone. */
function fruit(rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const size = (i * 7919) % 97;
    const noise = Math.sin(i * i);
    return `${size},${3 * size + 5 * noise},${size + 12 * noise > 48 ? "large" : "small"},${(i * 31) % 7}`;
  });
  return `size,weight,kind,other\n${lines.join("\n")}\n`;
}

/** Nothing follows from anything: what is right on held-out rows was learnt from them. */
function noise(rows: number): string {
  const random = new Random(3);
  const lines = Array.from(
    { length: rows },
    () => `${random.next()},${random.next()},${random.next() < 0.5 ? "p" : "q"}`,
  );
  return `a,b,y\n${lines.join("\n")}\n`;
}

async function train(change: Init, report: Partial<Reporter> = {}) {
  const own = await mkdtemp(join(directory, "job-"));
  const dataset = await library.dataset("default", "fruit", 0n);
  const init: Init = {
    dataset: "fruit",
    model: "fruit",
    recipe: "linear",
    target: "weight",
    features: ["size"],
    ...change,
  };
  const spec = toBinary(JobSpecSchema, fitSpec(checkSpec(create(JobSpecSchema, init)), dataset));
  const silent: Reporter = { progress() {}, log() {}, warn() {}, metric() {}, evaluated() {}, checkpoint() {} };
  const run = {
    kind: "run",
    jobId: `job-${++jobs}`,
    spec,
    createdBy: "user:ada",
    traceparent: "",
    identityFile: "",
    trustFile: "",
    registryAddresses: [],
    directory: own,
    threads: 1,
    datasetLimits: defaultLimits,
    points: 1000,
    checkpointDirectory: own,
    checkpointFile: undefined,
  } as unknown as Parameters<typeof runJob>[0]["run"];
  const { log } = silentTelemetry();
  return runJob({ run, library, report: { ...silent, ...report }, log, signal: new AbortController().signal });
}

describe("a job's model", () => {
  it("becomes a version with everything that is known of it, and the report grows while it runs", async () => {
    const reports: Report[] = [];
    const ended = await train({ alias: "stable", folds: 3 }, { evaluated: (so) => reports.push(so) });
    expect(ended).toMatchObject({ kind: "succeeded", modelVersion: 1n, aliasMoved: true });
    expect(ended).toMatchObject({ reason: "Version 1 of default.fruit is ready. The alias stable points to it." });
    expect(registry.aliases.get("fruit@stable")).toBe(1n);
    const { metrics, lineage, labels, columns, serving } = registry.versions[0]?.request ?? expect.fail();
    // What the registry cannot follow in a recipe's own graph, it is told.
    expect(serving).toMatchObject({
      batching: BatchingChoice.STATED,
      batchingStatement: expect.stringMatching(/each row alone/),
    });
    expect(Object.keys(metrics).sort()).toEqual(
      ["cv_mae", "cv_r2", "cv_rmse"]
        .flatMap((name) => [name, `${name}_deviation`])
        .concat(["latency_ms", "mae", "r2", "rmse", "train_mae", "train_r2", "train_rmse"]),
    );
    expect(metrics.r2).toBeGreaterThan(0.99);
    expect(Math.abs((metrics.cv_r2 ?? 0) - (metrics.r2 ?? 0))).toBeLessThan(0.02);
    expect(metrics.latency_ms).toBeGreaterThan(0);
    expect(labels).toEqual({ recipe: "linear", target: "weight", task: "regression" });
    expect(columns).toMatchObject({
      size: { kind: ColumnKind.NUMBER, missing: expect.arrayContaining(["NA", "null"]) },
    });
    const baseline = JSON.parse(lineage?.featureBaselineJson ?? "");
    expect(baseline).toMatchObject({
      rows: 320,
      features: { size: { kind: "number" } },
      predictions: { kind: "number", count: 80 },
    });
    expect(JSON.parse(lineage?.featurePlanJson ?? "")).toMatchObject({
      features: [{ kind: "number", column: "size" }],
    });
    expect(reports[0]?.folds).toHaveLength(1);
    const last = create(EvaluationReportSchema, reports.at(-1) ?? expect.fail());
    expect(last).toMatchObject({ task: "regression", trainRows: 320n, testRows: 80n, folds: { length: 3 } });
    expect(last.detail.case).toBe("regression");
    expect(last.importances).toMatchObject([{ column: "size" }]);
    expect(last.importances[0]?.mean).toBeGreaterThan(1);
    expect(last.metrics).toEqual(metrics);
  });

  it("that a gate holds back is no version without an alias, and one that is labelled with it", async () => {
    const gates = [{ metric: "rmse", bound: 1e-6 }];
    const failed = await train({ gates });
    expect(failed).toMatchObject({ kind: "failed", passing: false, metrics: { rmse: expect.any(Number) } });
    expect(failed).toMatchObject({
      reason: expect.stringMatching(/held the model back: held-out rmse is .* at most 0.000001/),
    });
    expect(registry.versions).toEqual([]);
    const kept = await train({ gates, alias: "stable" });
    expect(kept).toMatchObject({ kind: "succeeded", modelVersion: 1n, aliasMoved: false });
    expect(kept).toMatchObject({
      reason: expect.stringMatching(/The alias stable stays where it is: a gate held it back, held-out rmse is/),
    });
    expect(registry.versions[0]?.request.labels).toMatchObject({ gate: "held-back" });
    expect(registry.aliases.size).toBe(0);
  });

  it("is compared on the same held-out rows with what an alias points to", async () => {
    await train({ alias: "stable", features: ["other"], seed: 2n });
    const logs: string[] = [];
    const better = { metric: "r2", bound: 0, betterThan: "stable" };
    const good = await train({ alias: "stable", gates: [better], seed: 2n }, { log: (line) => logs.push(line) });
    expect(good).toMatchObject({ kind: "succeeded", modelVersion: 2n, aliasMoved: true });
    expect(logs.join("\n")).toMatch(/Gate passed: held-out r2 is 0\.99\d*, @stable \(version 1\) has -?0\.0/);
    const worse = await train({ alias: "stable", gates: [better], features: ["other"], seed: 2n });
    expect(worse).toMatchObject({ modelVersion: 3n, aliasMoved: false });
    expect(worse).toMatchObject({
      reason: expect.stringMatching(/@stable \(version 2\) has 0\.99\d*; it must be better/),
    });
    const much = await train({ gates: [{ ...better, bound: 0.5 }], seed: 2n });
    expect(much).toMatchObject({ kind: "failed", reason: expect.stringContaining("it must be better by 0.5") });
  });

  it("that is the same once more is no better, by any metric", async () => {
    await train({ alias: "stable", recipe: "decision-tree", features: ["size", "other"] });
    for (const metric of ["r2", "rmse", "mae"]) {
      const again = { recipe: "decision-tree", features: ["size", "other"], alias: "stable" };
      const tie = { metric, bound: 0, betterThan: "stable" };
      const ended = await train({ ...again, gates: [tie] });
      expect(ended).toMatchObject({ aliasMoved: false, reason: expect.stringContaining("it must be better") });
      const kept = await train({ ...again, alias: "other", gates: [{ ...tie, orEqual: true }] });
      expect(kept).toMatchObject({ kind: "succeeded", aliasMoved: true });
      registry.aliases.delete("fruit@other");
    }
  });

  it("is not compared on rows that the other learnt from", async () => {
    registry.addDataset("fruit", noise(400));
    const spec = { recipe: "decision-tree", target: "y", features: ["a"], alias: "stable" };
    await train({ ...spec, seed: 1n });
    const much = { metric: "accuracy", bound: 0, betterThan: "stable" };
    const gates = [much];
    const warnings: string[] = [];
    const warn = (sentence: string) => warnings.push(sentence);
    const other = await train({ ...spec, seed: 2n, gates }, { warn });
    expect(other).toMatchObject({
      aliasMoved: false,
      reason: expect.stringMatching(
        /cannot be compared with @stable \(version 1\): it learnt from all but \d\d of the 80/,
      ),
    });
    expect(warnings.join("\n")).toContain("train with the split that it had (--seed 1 --test-share 0.2)");
    const same = await train({ ...spec, features: ["a", "b"], seed: 1n, gates: [{ ...much, bound: 0.5 }] });
    expect(same).toMatchObject({ reason: expect.stringMatching(/is 0\.[3-7]\d*, @stable \(version 1\) has 0\.[3-7]/) });
  });

  it("is compared on the rows of a larger dataset that are new to the other", async () => {
    registry.addDataset("fruit", noise(1600));
    const spec = { recipe: "decision-tree", target: "y", features: ["a"], alias: "stable" };
    await train({ ...spec, data: { duplicates: "drop" } });
    registry.addDataset("fruit", noise(2000));
    const logs: string[] = [];
    const gates = [{ metric: "accuracy", bound: 0.5, betterThan: "stable" }];
    const ended = await train({ ...spec, seed: 5n, gates }, { log: (line) => logs.push(line) });
    expect(ended).toMatchObject({ reason: expect.stringMatching(/@stable \(version 1\) has 0\.[3-7]/) });
    const rows = Number(/on the (\d+) held-out rows that are new/.exec(logs.join("\n"))?.[1]);
    expect(rows).toBeGreaterThan(100);
    expect(rows).toBeLessThan(220);
  });

  it("is compared with recorded metrics where the other takes columns that are gone", async () => {
    registry.addDataset("fruit", fruit(400).replace("other", "older"));
    await train({ alias: "stable", features: ["size", "older"] });
    registry.addDataset("fruit", fruit(400));
    const logs: string[] = [];
    const gates = [{ metric: "r2", bound: 0.5, betterThan: "stable" }];
    const ended = await train({ gates, features: ["size", "other"] }, { log: (line) => logs.push(line) });
    expect(ended).toMatchObject({ kind: "failed" });
    expect(logs.join("\n")).toMatch(/compared by its recorded metrics: .*"older", which is no column/);
  });

  it("passes a gate against an alias that does not exist yet, and fails one for being slow", async () => {
    const warnings: string[] = [];
    const against = { metric: "rmse", bound: 0, betterThan: "stable" };
    const warn = (sentence: string) => /gate/.test(sentence) && warnings.push(sentence);
    const first = await train({ gates: [against, { ...against, metric: "r2" }] }, { warn });
    expect(first).toMatchObject({ kind: "succeeded" });
    expect(warnings).toEqual([expect.stringContaining("no @stable to compare with")]);
    await train({ alias: "stable", gates: [against] }, { warn });
    expect(warnings).toHaveLength(1);
    const slow = await train({ gates: [{ metric: "latency_ms", bound: 1e-9 }] });
    expect(slow).toMatchObject({
      kind: "failed",
      reason: expect.stringMatching(/latency_ms is .* it must be at most 1e-9/),
    });
  });

  it("that needs a review does not get the alias", async () => {
    registry.newState = VersionState.VALIDATED;
    const ended = await train({ alias: "stable" });
    expect(ended).toMatchObject({ kind: "succeeded", aliasMoved: false });
    expect(ended).toMatchObject({
      reason:
        "Version 1 of default.fruit needs a review before it can serve. The alias stable stays where it is: the version must be approved first.",
    });
    expect(registry.aliases.size).toBe(0);
  });

  it("leaves an alias that somebody else moves at the same time", async () => {
    registry.afterVersion = async () => void registry.aliases.set("fruit@stable", 7n);
    const ended = await train({ alias: "stable" });
    expect(ended).toMatchObject({ kind: "succeeded", aliasMoved: false });
    expect(ended).toMatchObject({ reason: expect.stringContaining("it points to version 7 by now, which is newer.") });
    expect(registry.aliases.get("fruit@stable")).toBe(7n);
  });

  it("of classes has a confusion, a table and a calibration", async () => {
    let last: Report = {};
    await train(
      { recipe: "logistic-regression", target: "kind", split: { validationShare: 0.2 } },
      {
        evaluated: (so) => {
          last = so;
        },
      },
    );
    const report = create(EvaluationReportSchema, last);
    expect(report).toMatchObject({ task: "classification", trainRows: 240n, validationRows: 80n, testRows: 80n });
    const detail = report.detail.case === "classification" ? report.detail.value : expect.fail();
    expect(detail.classes).toEqual(["large", "small"]);
    expect(detail.confusion.reduce((sum, rows) => sum + rows, 0n)).toBe(80n);
    expect(detail.scores.map(({ label, rows }) => [label, rows > 0n])).toEqual([
      ["large", true],
      ["small", true],
    ]);
    expect(detail.calibration).toHaveLength(10);
    expect(report.metrics).toHaveProperty("validation_accuracy");
    expect(report.metrics.roc_auc).toBeGreaterThan(0.9);
  });
});
