import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { GraphBuilder } from "@aimass/onnx";
import { crashModel, externalDataModel, multiInputModel } from "@aimass/onnx/samples";
import { describeWith, expectNoOpenHandles } from "@aimass/testkit";
import { expect, it } from "vitest";
import { TrainingData } from "../data/training-data.ts";
import { type TestJob, withJob } from "../testing/job-work.ts";
import type { MadeModel } from "../worker/job-work.ts";
import type { ScriptSettings } from "./script-settings.ts";
import { trainScript } from "./train-script.ts";

const settings: ScriptSettings = {
  isolation: "bubblewrap",
  paths: [],
  hidden: [],
  most: { seconds: 20, memoryBytes: 2 ** 29, cpus: 1, processes: 64, diskBytes: 2 ** 26, gpus: [] },
};

interface Trained {
  readonly made: MadeModel;
  readonly lines: readonly string[];
  readonly points: readonly (readonly [string, number, number])[];
  /** What was left in the job's folder. */
  readonly left: readonly string[];
}

/** Trains by a command over some rows, with files by path. */
async function train(o: {
  job: TestJob;
  command: readonly string[];
  files?: Readonly<Record<string, string>>;
  scripts?: ScriptSettings;
}): Promise<Trained> {
  const lines: string[] = [];
  const points: [string, number, number][] = [];
  const files = Object.entries(o.files ?? {}).map(([path, text]) => ({ path, sha256: digest(text), text }));
  const report = {
    log: (line: string) => lines.push(line),
    metric: (...point: [string, number, number]) => points.push(point),
  };
  const script = { command: [...o.command], files: files.map(({ path, sha256 }) => ({ path, sha256 })) };
  return withJob(
    { ...o.job, report, spec: { ...o.job.spec, script: { ...script, ...o.job.spec.script } } },
    async (work) => {
      const texts = new Map(files.map(({ sha256, text }) => [sha256.toString("hex"), text]));
      const library = Object.assign(Object.create(work.library), {
        read: (sha256: Uint8Array, signal: AbortSignal) => {
          const text = texts.get(Buffer.from(sha256).toString("hex"));
          return text === undefined ? work.library.read(sha256, signal) : [Buffer.from(text)];
        },
      });
      const own = { ...work, library, scripts: o.scripts ?? settings };
      await using data = await TrainingData.open(own);
      const made = await trainScript(own, data);
      return { made, lines, points, left: await readdir(work.directory) };
    },
  );
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** A shell command that leaves a model, after `first`. */
function leaving(model: Uint8Array, first = ":"): string[] {
  const text = gzipSync(model).toString("base64");
  return ["sh", "-c", `set -e; ${first}; echo ${text} | base64 -d | gunzip > "$AIMASS_OUTPUT_DIR/model.onnx"`];
}

/** y = 2x + 1, as one input [N, 1] named by nobody's column. */
function lineModel(): Uint8Array {
  const graph = new GraphBuilder("line");
  const x = graph.input("input", "FP32", ["N", 1]);
  const w = graph.constant("w", "FP32", [1], Float32Array.of(2));
  const b = graph.constant("b", "FP32", [1], Float32Array.of(1));
  graph.output(graph.node("Add", [graph.node("Mul", [x, w]), b], {}, { outputs: ["y"] }), "FP32", ["N", 1]);
  return graph.toBytes();
}

const line: TestJob = {
  bytes: `x,y\n${Array.from({ length: 100 }, (_, i) => `${i},${2 * i + 1}`).join("\n")}\n`,
  spec: { target: "y", seed: 7n },
};

/** Runs the command and gives back what was wrong. */
async function failureOf(command: readonly string[], spec: Partial<TestJob["spec"]> = {}): Promise<string> {
  const error = await train({ job: { ...line, spec: { ...line.spec, ...spec } }, command }).then(
    () => new Error("it went well"),
    (thrown: { code?: string; advice?: string }) => thrown,
  );
  return "advice" in error ? `${error.code}: ${error.advice}` : String(error);
}

describeWith("ci", { needs: ["bwrap", "setpriv", "python3"] }, "training by a script", () => {
  expectNoOpenHandles();

  it("makes a model that is measured on rows the script never saw", async () => {
    const show = `cat "$AIMASS_TRAIN_FILE" | tr -d '\\r'; cat "$AIMASS_SPEC_FILE"; cat lib/note.txt; ls "$AIMASS_DATA_DIR"`;
    const metric = `echo '{"step": 3, "loss": 0.5}' > "$AIMASS_METRICS_FILE"`;
    const { made, lines, points, left } = await train({
      job: line,
      command: leaving(lineModel(), `${show}; ${metric}`),
      files: { "lib/note.txt": "a note\n" },
    });
    expect(made.metrics).toMatchObject({ r2: 1, rmse: 0, train_r2: 1 });
    expect(made.files.get("model.onnx")).toEqual(Buffer.from(lineModel()));
    expect(made.report).toMatchObject({
      task: "regression",
      trainRows: 80n,
      testRows: 20n,
      importances: [{ column: "x" }],
    });
    expect(JSON.parse(made.baselineJson)).toMatchObject({ rows: 80, features: { x: { kind: "number", count: 80 } } });
    expect(JSON.parse(made.howJson ?? "")).toMatchObject({ command: ["sh", "-c", expect.any(String)] });
    expect(made.code).toMatchObject([{ path: "lib/note.txt", sha256: digest("a note\n") }]);
    expect(lines).toContain("x,y");
    expect(lines.filter((text) => /^\d+,\d+$/.test(text))).toHaveLength(80);
    expect(lines).toEqual(expect.arrayContaining(["a note", '  "target": "y",', "spec.json"]));
    expect(points).toEqual([["loss", 3, 0.5]]);
    expect(left).not.toContain("script");
  });

  it("gets the validation part, the parameters and its own variables", async () => {
    const spec = {
      ...line.spec,
      split: { validationShare: 0.3 },
      parameters: { "learning-rate": 0.5 },
      choices: { mode: "fast" },
    };
    const script = { environment: { MINE: "yes" } };
    const show = `env | grep -E '^(AIMASS_|MINE)' | sort; wc -l < "$AIMASS_VALIDATION_FILE"`;
    const { made, lines } = await train({
      job: { ...line, spec: { ...spec, script } },
      command: leaving(lineModel(), show),
    });
    expect(made.metrics).toMatchObject({ validation_r2: 1 });
    expect(lines).toEqual(
      expect.arrayContaining([
        "AIMASS_DATA_DIR=/job/data",
        "AIMASS_METRICS_FILE=/job/out/metrics.jsonl",
        "AIMASS_OUTPUT_DIR=/job/out",
        "AIMASS_PARAM_LEARNING_RATE=0.5",
        "AIMASS_PARAM_MODE=fast",
        "AIMASS_SEED=7",
        "AIMASS_SPEC_FILE=/job/data/spec.json",
        "AIMASS_TRAIN_FILE=/job/data/train.csv",
        "AIMASS_VALIDATION_FILE=/job/data/validation.csv",
        "MINE=yes",
        "31",
      ]),
    );
  });

  it("learns from columns without the target once more, and is given those alone", async () => {
    const rows = Array.from({ length: 60 }, (_, i) => `${i},${3 * i},${i % 7},${3 * i}`);
    const job = { bytes: `a,copy,b,y\n${rows.join("\n")}\n`, spec: { target: "y" } };
    const graph = new GraphBuilder("triple");
    const weights = graph.constant("w", "FP32", [2, 1], Float32Array.of(3, 0));
    const y = graph.node("MatMul", [graph.input("input", "FP32", ["N", 2]), weights], {}, { outputs: ["y"] });
    graph.output(y, "FP32", ["N", 1]);
    const show = `head -1 "$AIMASS_TRAIN_FILE"; tr -d '\\n ' < "$AIMASS_SPEC_FILE"`;
    const { made, lines } = await train({ job, command: leaving(graph.toBytes(), show) });
    expect(lines.join("\n")).toMatch(/a,b,y\n.*"features":\["a","b"\]/s);
    expect(made.metrics).toMatchObject({ r2: 1 });
    expect(made.inputs).toBe("Inputs: input. Features: a, b.");
    expect(made.report.importances?.map(({ column }) => column)).toEqual(["a", "b"]);
  });

  it("never sees the target of the rows that it is measured on, whatever its input is called", async () => {
    const graph = new GraphBuilder("peeping");
    const input = graph.input("y", "FP32", ["N", 1]);
    graph.output(graph.node("Identity", [input], {}, { outputs: ["answer"] }), "FP32", ["N", 1]);
    const { made } = await train({ job: line, command: leaving(graph.toBytes()) });
    expect(made.metrics.r2).toBeLessThan(0.9);
    const two = new GraphBuilder("peeping at two");
    const sum = two.node("Add", [two.input("y", "FP32", ["N"]), two.input("x", "FP32", ["N"])]);
    two.output(sum, "FP32", ["N"]);
    expect(await failureOf(leaving(two.toBytes()))).toMatch(/asks for "y", which is no column; there are x/);
  });

  it("gets pictures as files in folders by label", async () => {
    const bytes = await readFile(new URL("../../../cli/data/digits.zip", import.meta.url));
    const job = { format: "image-zip", bytes, spec: { target: "label", seed: 1n } } as const;
    const sh = `cd "$AIMASS_TRAIN_DIR"; ls | tr '\\n' ' '; find . -name '*.png' | wc -l; head -c 4 3/$(ls 3 | head -1) | tail -c 3; exit 7`;
    const attempt = train({ job, command: ["sh", "-c", sh] });
    await expect(attempt).rejects.toMatchObject({ remedy: "Its last lines:\n0 1 2 3 4 5 6 7 8 9 1438\nPNG" });
  });

  it("tells classes by scores, whose output is named after them", async () => {
    const graph = new GraphBuilder("sides");
    const x = graph.input("x", "FP32", ["N"]);
    const rows = graph.node("Unsqueeze", [x, graph.constant("axis", "INT64", [1], BigInt64Array.of(1n))]);
    const sides = graph.constant("sides", "FP32", [1, 2], Float32Array.of(-1, 1));
    graph.output(graph.node("Softmax", [graph.node("Mul", [rows, sides])], {}, { outputs: ["share"] }), "FP32", [
      "N",
      2,
    ]);
    const rowsOf = Array.from({ length: 60 }, (_, i) => `${i - 29.5},${i < 30 ? "left" : "right"}`);
    const job = { bytes: `x,side\n${rowsOf.join("\n")}\n`, spec: { target: "side" } };
    const { made } = await train({ job, command: leaving(graph.toBytes()) });
    expect(made.metrics).toMatchObject({ accuracy: 1 });
    expect(made).toMatchObject({ classes: ["left", "right"], scores: "share" });
  });

  it("may leave weights beside the graph", async () => {
    const { model, files } = externalDataModel("weights/layer.bin");
    const [path, weights] = [...files][0] as [string, Uint8Array];
    const rows = Array.from({ length: 40 }, (_, i) => `${i % 11},${i % 7},${i % 3},${i % 5},${i * 1.5}`);
    const job = { bytes: `a,b,c,d,y\n${rows.join("\n")}\n`, spec: { target: "y" } };
    const first = `mkdir "$AIMASS_OUTPUT_DIR/weights"; echo ${Buffer.from(weights).toString("base64")} | base64 -d > "$AIMASS_OUTPUT_DIR/${path}"`;
    const attempt = await train({ job, command: leaving(model, first) }).catch((error) => error as { message: string });
    // It has four numbers a row where one is wanted: it was found, loaded and tried.
    expect("made" in attempt ? [...attempt.made.files.keys()] : attempt.message).toMatch(
      /No output of the model has one number/,
    );
  });

  it.each([
    [
      "ends with an error",
      ["sh", "-c", "echo start; echo 'ValueError: bad' >&2; exit 3"],
      "FAILED_PRECONDITION: The script ended with exit code 3. Its last lines:\nValueError: bad",
    ],
    ["is not there", ["no-such"], /exit code 127\. Its last lines:\n.*no-such/],
    ["crashes", ["sh", "-c", "kill -SEGV $$"], /killed by SIGSEGV: it crashed\. It printed nothing/],
    ["leaves nothing", ["true"], /left no model\.onnx\. Write it to the folder that AIMASS_OUTPUT_DIR names/],
    [
      "leaves a link",
      ["sh", "-c", "ln -s /etc/passwd $AIMASS_OUTPUT_DIR/model.onnx"],
      /"model\.onnx", which is no plain file/,
    ],
    ["leaves a folder", ["sh", "-c", "mkdir $AIMASS_OUTPUT_DIR/model.onnx"], /no plain file/],
    [
      "leaves what is no model",
      ["sh", "-c", "echo hello > $AIMASS_OUTPUT_DIR/model.onnx"],
      /INVALID_ARGUMENT|cannot be read as ONNX/,
    ],
    [
      "leaves a graph without its weights",
      leaving(externalDataModel().model),
      /refers to "weights\/layer\.bin", which is not beside it/,
    ],
    [
      "leaves a graph that looks elsewhere for its weights",
      leaving(externalDataModel("../data/spec.json").model),
      /spec\.json/,
    ],
    ["leaves a model that crashes the runtime", leaving(crashModel()), /FAILED_PRECONDITION/],
    ["leaves a model with other inputs", leaving(multiInputModel()), /which is no column; there are x/],
  ])("says what was wrong when the script %s", async (_, command, said) => {
    const failure = await failureOf(command);
    if (typeof said === "string") expect(failure).toBe(said);
    else expect(failure).toMatch(said);
  });

  it("says which limit it hit", async () => {
    const spec = { script: { limits: { seconds: 0.5, memoryBytes: 2n ** 27n } } };
    expect(await failureOf(["sleep", "10"], spec)).toMatch(
      /longer than the 0\.5 s it may\. Ask for more in script\.limits/,
    );
  });

  it("is refused where scripts are off, with the remedy", async () => {
    const attempt = train({ job: line, command: ["true"], scripts: { ...settings, isolation: "off" } });
    await expect(attempt).rejects.toMatchObject({ code: "FAILED_PRECONDITION", reason: "SCRIPTS_OFF" });
  });
});
