import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AliasService, ModelService } from "@aimass/api/registry";
import type { JobSpecSchema } from "@aimass/api/trainer";
import { TrainingService } from "@aimass/api/trainer";
import { deployModel, Output, pushDataset, trainModel } from "@aimass/cli";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestMesh } from "../support/test-mesh.ts";

const output = new Output({ json: true });
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 1 });
}, 120_000);

afterAll(() => mesh?.[Symbol.asyncDispose]());

/** What /predict answers of a classifier. */
interface Predictions {
  readonly predictions: readonly { readonly label: string; readonly probabilities: readonly number[] }[];
}

type Spec = Exclude<MessageInitShape<typeof JobSpecSchema>, { $typeName: string }>;

/** CSV → dataset → model → alias → replica; gives back the held-out metrics. */
async function serveTrained(model: string, csv: string, spec: Spec) {
  const file = join(mesh.folder, `${model}.csv`);
  writeFileSync(file, csv);
  await pushDataset({ connection: mesh.admin, output, project: "default", dataset: model, file });
  const job = await trainModel({
    connection: mesh.admin,
    output,
    spec: { project: "default", dataset: model, model, seed: 3n, ...spec },
  });
  const alias = { project: "default", model, alias: "default", version: job.modelVersion, reason: "test" };
  await mesh.admin.client(AliasService).moveAlias(alias);
  await deployModel(mesh.admin, { project: "default", model, replicas: 1 });
  return job;
}

async function post<T>(path: string, body: object): Promise<T> {
  const response = await fetch(`http://${mesh.address()}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${mesh.apiKey}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as T;
}

/** Who repays: by income, by trade, and not always known. */
function loans(): string {
  const rows = Array.from({ length: 400 }, (_, i) => {
    const income = 10 + ((i * 37) % 90);
    const trade = ["baker", "smith", "tailor", "面包师"][(i * 11) % 4] as string;
    const repays = income + (trade === "smith" ? 30 : 0) > 60;
    return [i % 13 === 0 ? "" : income, i % 17 === 0 ? "" : trade, repays ? "yes" : "no"].join(",");
  });
  return `income,trade,repays\n${rows.join("\n")}\n`;
}

/** Greetings and complaints in two languages. */
function messages(): string {
  const kinds = {
    greeting: [
      "How are you today",
      "Good morning my friend",
      "Hello and how do you do",
      "你好吗今天过得怎么样",
      "早上好我的朋友",
    ],
    complaint: [
      "My parcel has not arrived",
      "The screen is broken again",
      "I want my money back",
      "我的包裹还没有到",
      "屏幕又坏了我要退款",
    ],
  };
  const endings = ["", "!", " please", " Anna", " 谢谢", " 王先生", " team", "。"];
  const rows = Object.entries(kinds).flatMap(([kind, starts]) =>
    starts.flatMap((start) => endings.map((ending) => `"${start}${ending}",${kind}`)),
  );
  return `text,kind\n${rows.join("\n")}\n`;
}

describe("a table with categories and gaps", () => {
  it("becomes a classifier that answers by REST and by /predict, with its labels and lineage", async () => {
    const job = await serveTrained("loans", loans(), { recipe: "gradient-boosting", target: "repays" });
    expect(job.spec).toMatchObject({ task: "classification", features: ["income", "trade"] });
    expect(job.metrics.accuracy).toBeGreaterThan(0.85);
    expect(job.metrics.roc_auc).toBeGreaterThan(0.85);
    const models = mesh.admin.client(ModelService);
    const { version = expect.fail() } = await models.getVersion({ project: "default", model: "loans", version: "1" });
    expect(version.signature?.outputs.find((o) => o.name === "probabilities")?.labels).toEqual(["no", "yes"]);
    expect(JSON.parse(version.lineage?.featureBaselineJson ?? "")).toHaveProperty("features.income.mean");
    const { outputs } = await post<{ outputs: { name: string; data: string[] }[] }>("/v2/models/loans/infer", {
      inputs: [
        { name: "income", datatype: "FP32", shape: [2], data: [95, 15] },
        { name: "trade", datatype: "BYTES", shape: [2], data: ["baker", "tailor"] },
      ],
    });
    expect(outputs.find((o) => o.name === "label")?.data).toEqual(["yes", "no"]);
    const { predictions } = await post<Predictions>("/models/loans/predict", {
      inputs: { income: [95, 15], trade: ["smith", "none"] },
    });
    expect(predictions.map((p) => p.label)).toEqual(["yes", "no"]);
    expect(version.signature?.inputs.find((i) => i.name === "trade")?.column?.missing).toContain("NA");
    const rows = [{ income: "95", trade: "NA", repays: "yes" }, { trade: null, income: 95 }, { income: 95 }];
    const response = await fetch(`http://${mesh.address()}/models/loans/predict`, {
      method: "POST",
      headers: { authorization: `Bearer ${mesh.apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ inputs: rows }),
    });
    const answer = (await response.json()) as Predictions & { classes: Record<string, string[]> };
    expect(response.headers.get("aimass-ignored-columns")).toBe("repays");
    expect(answer.classes).toEqual({ probabilities: ["no", "yes"] });
    const [first] = answer.predictions;
    expect(answer.predictions).toEqual([first, first, first]);
    expect(first?.label).toBe("yes");
  }, 120_000);
});

describe("texts in English and Chinese", () => {
  it("become a model that takes a text and answers with label and probabilities", async () => {
    const job = await serveTrained("messages", messages(), { recipe: "logistic-regression", target: "kind" });
    expect(job.metrics.accuracy).toBeGreaterThan(0.9);
    const { predictions } = await post<Predictions>("/models/messages/predict", { text: "How are you?" });
    expect(predictions).toHaveLength(1);
    expect(predictions[0]?.label).toBe("greeting");
    const [complaint = expect.fail(), greeting = expect.fail()] = predictions[0]?.probabilities ?? [];
    expect(greeting).toBeGreaterThan(complaint);
    expect(greeting + complaint).toBeCloseTo(1, 5);
    const several = await post<Predictions>("/models/messages/predict", {
      text: ["早上好", "我的屏幕坏了", "it is broken"],
    });
    expect(several.predictions.map((p) => p.label)).toEqual(["greeting", "complaint", "complaint"]);
  }, 120_000);
});

describe("a job that cannot be", () => {
  it.each<[string, Spec, string]>([
    ["parameter", { recipe: "ridge", target: "income", parameters: { l3: 1 } }, 'has no parameter "l3"'],
    ["column", { recipe: "random-forest", target: "wages" }, 'has no column "wages"'],
    ["target with gaps", { recipe: "random-forest", target: "trade" }, "has 24 empty cells"],
  ])("for its %s is refused with a sentence when it is made", async (_, spec, sentence) => {
    const trainer = mesh.admin.client(TrainingService);
    const call = trainer.createJob({ spec: { project: "default", dataset: "loans", model: "never", ...spec } });
    await expect(call).rejects.toThrow(sentence);
  });
});
