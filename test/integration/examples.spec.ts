import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openDataset, valueAt } from "@aimass/datasets";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Command } from "../support/command.ts";
import { TestMesh } from "../support/test-mesh.ts";

const data = fileURLToPath(new URL("../../services/cli/data/", import.meta.url));
const parquet = fileURLToPath(
  new URL("../../libs/datasets/src/parquet/fixtures/pyarrow-snappy-pages-v1.parquet", import.meta.url),
);
/** What is asked of a deployed model in one call. */
const rowsACall = 50;

let mesh: TestMesh;
let aimass: Command;

/** A result of `aimass examples --json`. */
interface ExampleResult {
  readonly model: string;
  readonly version: number;
  readonly jobId: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly answers: readonly { readonly right: boolean }[];
  readonly calls: readonly string[];
}

interface Predictions {
  readonly predictions: readonly { readonly label: string; readonly probabilities: readonly number[] }[];
}

beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 1 });
  const address = { AIMASS_SERVER: mesh.mesh.url(), XDG_CONFIG_HOME: join(mesh.folder, "config") };
  aimass = new Command(address);
  expect((await aimass.run("login", "--password-file", mesh.mesh.data.adminPasswordFile)).stderr).not.toMatch(/error/);
}, 120_000);

afterAll(() => mesh?.[Symbol.asyncDispose]());

async function json<T>(...args: string[]): Promise<T> {
  const result = await aimass.run(...args, "--json");
  if (result.status !== 0) expect.fail(`aimass ${args.join(" ")}: ${result.stdout}${result.stderr}`);
  return JSON.parse(result.stdout) as T;
}

async function words(...args: string[]): Promise<string> {
  const result = await aimass.run(...args);
  if (result.status !== 0) expect.fail(`aimass ${args.join(" ")}: ${result.stdout}${result.stderr}`);
  expect(result.stdout).not.toMatch(/undefined|\[object|NaN/);
  return result.stdout;
}

async function predict(model: string, body: object): Promise<Predictions> {
  const response = await fetch(`http://${mesh.address()}/models/${model}/predict`, {
    method: "POST",
    headers: { authorization: `Bearer ${mesh.apiKey}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as Predictions;
}

type Row = Readonly<Record<string, unknown>>;

/** Every tenth row of a shipped table; pictures as rows of pixels. */
async function everyTenth(file: string): Promise<Row[]> {
  const format = file.endsWith(".zip") ? "image-zip" : "csv";
  await using dataset = await openDataset({ format, file: join(data, file) });
  const rows: Row[] = [];
  for await (const batch of dataset.batches({ batchRows: 1000 }))
    for (let i = 0; i < batch.rows; i++)
      if ((batch.firstRow + i) % 10 === 0)
        rows.push(Object.fromEntries([...batch.columns].map(([name, column]) => [name, valueAt(column, i)])));
  return Promise.all(rows.map(async (row) => ("image" in row ? { ...row, image: await pixelsOf(row.image) } : row)));
}

async function pixelsOf(image: unknown): Promise<number[][][]> {
  const { width, height, rgb } = await (
    image as { decode(): Promise<{ width: number; height: number; rgb: Uint8Array }> }
  ).decode();
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => [...rgb.subarray((y * width + x) * 3, (y * width + x + 1) * 3)]),
  );
}

/** Share of rows whose label the deployed model gives. */
async function accuracyOf(model: string, rows: readonly Row[], target: string, body: (rows: readonly Row[]) => object) {
  let right = 0;
  for (let at = 0; at < rows.length; at += rowsACall) {
    const some = rows.slice(at, at + rowsACall);
    const { predictions } = await predict(model, body(some));
    expect(predictions).toHaveLength(some.length);
    right += predictions.filter(({ label }, i) => label === some[i]?.[target]).length;
    for (const { probabilities } of predictions) expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 4);
  }
  return right / rows.length;
}

const column = (rows: readonly Row[], name: string, missing: unknown = "") => rows.map((row) => row[name] ?? missing);

/** What must be reached on the rows held out, and over the whole table through the deployed model. */
const classifiers = [
  {
    name: "penguins",
    file: "penguins.csv",
    target: "species",
    floors: { accuracy: 0.95, macro_f1: 0.95 },
    served: 0.97,
    rows: (rows: readonly Row[]) => rows.filter((row) => Object.values(row).every((value) => value !== undefined)),
    body: (rows: readonly Row[]) => {
      const names = ["island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex", "year"];
      return { inputs: Object.fromEntries(names.map((name) => [name, column(rows, name)])) };
    },
  },
  {
    name: "sms",
    file: "sms.csv",
    target: "label",
    floors: { accuracy: 0.96, macro_f1: 0.94, roc_auc: 0.98 },
    served: 0.97,
    body: (rows: readonly Row[]) => ({ text: column(rows, "text") }),
  },
  {
    name: "reviews-zh",
    file: "reviews-zh.csv",
    target: "label",
    floors: { accuracy: 0.76, macro_f1: 0.76, roc_auc: 0.84 },
    served: 0.8,
    body: (rows: readonly Row[]) => ({ text: column(rows, "text") }),
  },
  {
    name: "digits",
    file: "digits.zip",
    target: "label",
    floors: { accuracy: 0.95, macro_f1: 0.95 },
    served: 0.97,
    body: (rows: readonly Row[]) => ({ inputs: { image: column(rows, "image") } }),
  },
];

describe("aimass examples", { timeout: 240_000 }, () => {
  it("lists what it can show, with where the data is from", async () => {
    const all = await json<{ name: string; source: string }[]>("examples");
    expect(all.map(({ name }) => name)).toEqual(["diabetes", "penguins", "sms", "reviews-zh", "digits"]);
    expect(all.every(({ source }) => source.length > 10)).toBe(true);
    const { status, stderr } = await aimass.run("examples", "iris");
    expect([status, stderr]).toEqual([2, expect.stringMatching(/no example "iris".*penguins/)]);
  });

  it("diabetes: a regression from table to call", async () => {
    const result = await json<ExampleResult>("examples", "diabetes");
    expect(result.metrics.r2).toBeGreaterThan(0.4);
    expect(result.metrics.rmse).toBeLessThan(62);
    expect(result.answers.every(({ right }) => right)).toBe(true);
    expect(await json("models", "show", "diabetes:1")).toMatchObject({ lineage: { dataset: "diabetes" } });
    const [header = "", ...lines] = readFileSync(join(data, "diabetes.csv"), "utf8").trim().split("\n");
    const rows = lines.map((line) => line.split(",").map(Number));
    const inputs = header
      .split(",")
      .slice(0, -1)
      .map((name, i) => [name, rows.map((row) => row[i])]);
    const { predictions } = await predict("diabetes", { inputs: Object.fromEntries(inputs) });
    const told = predictions.map((value) => Number([value].flat(3)[0]));
    const actual = rows.map((row) => row.at(-1) as number);
    expect(determination(told, actual)).toBeGreaterThan(0.45);
  });

  it.each(classifiers)("$name: a classification from data to call", async (example) => {
    const result = await json<ExampleResult>("examples", example.name);
    for (const [metric, floor] of Object.entries(example.floors))
      expect(result.metrics[metric], metric).toBeGreaterThan(floor);
    expect(result.answers.map(({ right }) => right)).not.toContain(false);
    expect(result.calls[0]).toMatch(/^aimass predict /);
    const rows = await everyTenth(example.file);
    const asked = example.rows?.(rows) ?? rows;
    expect(await accuracyOf(example.name, asked, example.target, example.body)).toBeGreaterThan(example.served);
  });

  it("answers one text in either language at /predict", async () => {
    const label = async (model: string, text: string) => (await predict(model, { text })).predictions[0]?.label;
    expect(await label("sms", "Sorry, I am late. See you at home tonight")).toBe("ham");
    expect(await label("sms", "URGENT! You have won a free prize. Call now to claim cash")).toBe("spam");
    expect(await label("reviews-zh", "非常好，很满意，强烈推荐！")).toBe("good");
    expect(await label("reviews-zh", "很差，非常失望，浪费钱")).toBe("bad");
  });
});

/** R². */
function determination(told: readonly number[], actual: readonly number[]): number {
  const mean = actual.reduce((sum, value) => sum + value, 0) / actual.length;
  const squares = (of: (value: number, i: number) => number) => actual.reduce((sum, v, i) => sum + of(v, i) ** 2, 0);
  return 1 - squares((value, i) => value - (told[i] as number)) / squares((value) => value - mean);
}

describe("training on the command line", { timeout: 240_000 }, () => {
  it("shows a picture and a text with the names of the classes and their probabilities", async () => {
    const { predictions } = await json<{ predictions: { label: string; probabilities: Record<string, number> }[] }>(
      ...["predict", "digits", "--input", `image=@${join(data, "digit-7.png")}`],
    );
    expect(predictions).toHaveLength(1);
    expect(predictions[0]?.label).toBe("7");
    expect(Object.keys(predictions[0]?.probabilities ?? {}).sort()).toEqual([..."0123456789"]);
    expect(await words("predict", "sms", "--text", "Win a prize! Call now to claim your free cash")).toMatch(
      /^spam\n {2}spam +\d+\.\d % +█+.*\n {2}ham /,
    );
    const wrong = await aimass.run("predict", "sms", "--input", `text=@${join(data, "digit-7.png")}`);
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringMatching(/takes BYTES.*no picture/)]);
  });

  it("shows a job, its report and its log", async () => {
    const [job] = await json<{ id: string; spec: { model: string } }[]>("jobs", "list");
    const id = job?.id ?? expect.fail();
    expect(await words("jobs", "show", id)).toMatch(/is SUCCEEDED.*\n[\s\S]*\nmodel: digits\n/);
    const report = await words("jobs", "report", id);
    expect(report).toMatch(/classification: \d+ rows trained on, \d+ held out/);
    expect(report).toMatch(/confusion: actual down, predicted across/);
    expect(report).toMatch(/calibration: \d+\.\d % off/);
    expect(await words("jobs", "logs", id)).toMatch(/held out|held-out/);
  });

  it("takes a whole job from a file, with flags over it, and says what it would do", async () => {
    const file = join(mesh.folder, "job.yaml");
    writeFileSync(
      file,
      [
        "dataset: penguins",
        "target: species",
        "model: penguins-file",
        "recipe: auto",
        "search: { budgetSeconds: 30, recipes: [decision-tree, logistic-regression] }",
        "folds: 3",
        "alias: default",
        "gates: [{ metric: accuracy, bound: 0.9 }, { metric: latency_ms, bound: 1000 }]",
      ].join("\n"),
    );
    const dry = await words("train", "-f", file, "--seed", "3", "--duplicates", "drop", "--dry-run");
    expect(dry).toMatch(/^recipe: auto$[\s\S]*^seed: 3$[\s\S]*^data:\n {2}duplicates: drop$/m);
    const job = await json<{ id: string; modelVersion: number; aliasMoved: boolean }>(
      "train",
      "-f",
      file,
      "--seed",
      "3",
    );
    expect(job).toMatchObject({ modelVersion: 1, aliasMoved: true });
    const trials = await json<{ recipe: string; score: number }[]>("jobs", "leaderboard", job.id);
    expect(new Set(trials.map(({ recipe }) => recipe))).toEqual(new Set(["decision-tree", "logistic-regression"]));
    expect(await words("jobs", "leaderboard", job.id)).toMatch(/TRIAL +RECIPE +SCORE/);
    writeFileSync(file, "dataset: penguins\ntraget: species\n");
    const refused = await aimass.run("train", "-f", file);
    expect([refused.status, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/job\.yaml, line 2: .*Did you mean target/),
    ]);
  });

  it("keeps an alias where it is when the gate does not pass", async () => {
    const job = await json<{ modelVersion: number; aliasMoved: boolean }>(
      ...["train", "--dataset", "penguins", "--target", "species", "--model", "penguins-file", "--recipe"],
      ...["naive-bayes-gaussian", "--gate", "log_loss=0.000001", "--alias", "default"],
    );
    expect(job).toMatchObject({ modelVersion: 2, aliasMoved: false });
    const [latest] = await json<{ id: string }[]>("jobs", "list");
    expect(await words("jobs", "show", latest?.id ?? "")).toMatch(/made penguins-file v2\.\n.*gate held it back/);
  });

  it("pushes every format and a folder of pictures, shows and previews them", async () => {
    const file = (name: string, text: string) => {
      writeFileSync(join(mesh.folder, name), text);
      return join(mesh.folder, name);
    };
    const tsv = file("tabs.tsv", "zip\tsize\n01\t1\n02\t-\n");
    const pushed = await json<{ columns: { name: string; type: number; missing: number }[] }>(
      ...["datasets", "push", tsv, "--missing", "-", "--type", "zip=string"],
    );
    expect(pushed.columns.map(({ name, missing }) => [name, missing])).toEqual([
      ["zip", 0],
      ["size", 1],
    ]);
    expect(await json("datasets", "push", file("lines.jsonl", '{"a": 1, "b": "x"}\n{"a": 2}\n'))).toMatchObject({
      rows: 2,
    });
    const odd = file("odd.csv", "a;b\n1;2\n");
    expect(await json("datasets", "push", odd, "--delimiter", ";")).toMatchObject({ rows: 1, columns: [{}, {}] });
    expect(await json("datasets", "push", odd, "odd-found")).toMatchObject({
      columns: [{ name: "a" }, { name: "b" }],
      warnings: [expect.stringContaining('";"')],
    });
    expect(await json("datasets", "push", parquet, "columns")).toMatchObject({ rows: 40, format: 4 });
    expect(await json<unknown[]>("datasets", "preview", "sms", "--rows", "3")).toHaveLength(3);
    expect(await words("datasets", "preview", "penguins", "-r", "2")).toMatch(
      /^species +island.*\nAdelie +Torgersen +39\.1/,
    );
    expect(await words("datasets", "show", "penguins")).toMatch(/sex +string: category +11 +2 +male 168, female 165/);
    const picture = readFileSync(join(data, "digit-7.png"));
    const folder = pictures(picture);
    expect(await json("datasets", "push", folder, "pictures")).toMatchObject({ rows: 2, version: 1 });
    expect(await json("datasets", "push", folder, "pictures")).toMatchObject({ version: 1 });
    const bad = await aimass.run("datasets", "push", dirname(folder), "pictures");
    expect([bad.status, bad.stderr]).toEqual([2, expect.stringMatching(/one folder a class/)]);
  });

  it("keeps rules for training again, and bounds for a project", async () => {
    const rule = ["--dataset", "penguins", "--target", "species", "--model", "penguins", "--recipe", "decision-tree"];
    expect(
      await words("jobs", "retrain", "set", "weekly", ...rule, "--every", "7d", "--on-new-data", "--paused"),
    ).toMatch(/weekly trains penguins every 7d and on new data \(paused\)/);
    expect(await words("jobs", "retrain", "list")).toMatch(/weekly +penguins +every 7d and on new data \(paused\)/);
    await words("jobs", "retrain", "remove", "weekly");
    expect(await json<unknown[]>("jobs", "retrain", "list")).toEqual([]);
    expect(await words("jobs", "quota", "default", "--max-running", "3")).toMatch(/running \(of at most 3\)/);
    expect(await words("jobs", "quota", "default", "--max-running", "0")).toMatch(/running \(without a bound\)/);
  });
});

/** A folder of two classes with a picture each. */
function pictures(picture: Uint8Array): string {
  const folder = join(mesh.folder, "shapes", "all");
  for (const label of ["one", "two"]) {
    mkdirSync(join(folder, label), { recursive: true });
    writeFileSync(join(folder, label, "1.png"), picture);
  }
  return folder;
}
