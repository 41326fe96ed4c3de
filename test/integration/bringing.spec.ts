import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { echoModel, externalDataModel, softmaxModel, tinyModel } from "@aimass/onnx/samples";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Command } from "../support/command.ts";
import { TestMesh } from "../support/test-mesh.ts";

let mesh: TestMesh;
let aimass: Command;

beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 1 });
  aimass = new Command({ AIMASS_SERVER: mesh.mesh.url(), XDG_CONFIG_HOME: join(mesh.folder, "config") });
  put("password", `${mesh.mesh.adminPassword()}\n`);
  expect((await aimass.run("login", "--password-file", at("password"))).status).toBe(0);
}, 120_000);

afterAll(() => mesh?.[Symbol.asyncDispose]());

const at = (path: string) => join(mesh.folder, path);

function put(path: string, bytes: Uint8Array | string): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), bytes);
}

/** Runs a command that must end with a status. */
async function json<T = Record<string, unknown>>(status: number, ...args: string[]): Promise<T> {
  const result = await aimass.run(...args, "--json");
  if (result.status !== status) expect.fail(`${args.join(" ")}: ${result.status} ${result.stdout}${result.stderr}`);
  return JSON.parse(result.stdout) as T;
}

interface Row {
  readonly model: string;
  readonly outcome: string;
  readonly why?: string;
  readonly alias?: string;
  readonly versions?: readonly { version: number; outcome: string }[];
}

describe("models as they lie in folders", { timeout: 90_000 }, () => {
  it("run as torch writes them, with weights beside the graph, of any name", async () => {
    for (const [name, location] of [
      ["net", "net.onnx.data"],
      ["hidden", ".weights/w:0"],
    ] as const) {
      const { model, files } = externalDataModel(location);
      put(`${name}.onnx`, model);
      put(location, files.get(location) ?? new Uint8Array());
      expect(await json(0, "run", at(`${name}.onnx`))).toMatchObject({ model: name, version: 1 });
    }
    put("lonely/net.onnx", externalDataModel("away.bin").model);
    const { stderr } = await aimass.run("models", "push", "lonely", at("lonely"));
    expect(stderr).toMatch(
      /tensor "w" of .*net\.onnx needs the file "away\.bin"; there is no such file at .*lonely\/away\.bin/,
    );
  });

  it("run and are called with numbers where they are of FP16 or BF16", async () => {
    for (const datatype of ["FP16", "BF16"] as const) {
      put(`${datatype}.onnx`, echoModel(datatype, ["N", 2]));
      expect(await json(0, "run", at(`${datatype}.onnx`))).toMatchObject({ answer: { predictions: [[0.5, 0.5]] } });
      const typed = await json(0, "predict", datatype, "--input", '{"x": [[1.5, 2], [3, 4]]}');
      expect(typed).toMatchObject({
        predictions: [
          [1.5, 2],
          [3, 4],
        ],
      });
      expect(await json(0, "predict", `${datatype}:1`)).toMatchObject({ predictions: [[0.5, 0.5]] });
    }
  });

  it("are imported together, once, with aliases and a report of what was refused", async () => {
    put(
      "all/fraud/config.pbtxt",
      'max_batch_size: 8 output [ { name: "scores" dims: 3 label_filename: "labels.txt" } ]',
    );
    put("all/fraud/labels.txt", "honest\nodd\nfraud\n");
    put("all/fraud/1/model.onnx", tinyModel());
    put("all/fraud/3/model.onnx", softmaxModel());
    put("all/bert/config.json", JSON.stringify({ id2label: { 0: "no", 1: "maybe", 2: "yes" } }));
    put("all/bert/onnx/model.onnx", softmaxModel());
    put("all/broken/1/model.onnx", "no graph");
    put("all/python/config.pbtxt", 'backend: "python"');
    const planned = await json<Row[]>(1, "import", at("all"), "--dry-run");
    const outcomes = (rows: readonly Row[]) => Object.fromEntries(rows.map(({ model, outcome }) => [model, outcome]));
    expect(outcomes(planned)).toMatchObject({ fraud: "would be brought", bert: "would be brought", python: "refused" });
    expect((await aimass.run("models", "show", "fraud")).status).toBe(4);
    const rows = await json<Row[]>(1, "import", at("all"));
    expect(outcomes(rows)).toEqual({ bert: "brought", broken: "refused", fraud: "brought", python: "refused" });
    expect(rows.find(({ model }) => model === "fraud")).toMatchObject({ alias: "default→2" });
    expect(rows.find(({ model }) => model === "broken")?.why).toMatch(/not an ONNX model/);
    expect(rows.find(({ model }) => model === "python")?.why).toMatch(/backend python/);
    const again = await json<Row[]>(1, "import", at("all"));
    expect(outcomes(again)).toEqual({ bert: "unchanged", broken: "refused", fraud: "unchanged", python: "refused" });
    expect(await json(0, "models", "show", "fraud@default")).toMatchObject({
      version: 2,
      labels: { triton_version: "3" },
      serving: { maxBatchSize: 8 },
      signature: { outputs: [{ name: "scores", labels: ["honest", "odd", "fraud"] }] },
    });
    put("all/fraud/4/model.onnx", softmaxModel());
    expect(await json<Row[]>(0, "import", at("all/fraud"), "--alias", "live")).toMatchObject([
      { outcome: "unchanged" },
    ]);
    // Somebody moves the alias on: importing once more does not take it back.
    await json(0, "models", "alias", "fraud", "default", "1");
    await json<Row[]>(1, "import", at("all"));
    expect(await json(0, "models", "show", "fraud@default")).toMatchObject({ version: 1 });
    const { stdout } = await aimass.run("import", at("all"), "--no-alias");
    expect(stdout).toMatch(/^MODEL +RESULT +VERSIONS +FROM +WHAT\n(.*\n)*2 unchanged, 2 refused\.\n$/);
  });
});
