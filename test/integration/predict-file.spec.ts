import { once } from "node:events";
import { createReadStream, createWriteStream, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { echoModel, multiInputModel, quantisedTokensModel, textModel, tinyModel } from "@aimass/onnx/samples";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Command, type CommandResult } from "../support/command.ts";
import { expectHelpful } from "../support/helpful.ts";
import { TestMesh } from "../support/test-mesh.ts";

const penguins = fileURLToPath(new URL("../../services/cli/data/penguins.csv", import.meta.url));
const manyRows = 200_000;

let mesh: TestMesh;
/** With a key that may infer, and nothing else. */
let aimass: Command;
let admin: Command;

beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 2 });
  aimass = new Command({ AIMASS_SERVER: mesh.mesh.url(), AIMASS_API_KEY: mesh.apiKey });
  admin = new Command({ AIMASS_SERVER: mesh.mesh.url(), XDG_CONFIG_HOME: at("config") });
  const password = put("password", `${mesh.mesh.adminPassword()}\n`);
  expect((await admin.run("login", "--password-file", password)).status).toBe(0);
  await mesh.serve("words", textModel(), 2);
  await mesh.serve("echo", echoModel("INT64"), 2);
  await mesh.serve("multi", multiInputModel(), 2);
  await mesh.serve("tiny", tinyModel(), 2);
  await mesh.serve("tokens", quantisedTokensModel(), 1);
  await mesh.serve("fours", echoModel("INT64", [4]), 1);
}, 180_000);

afterAll(() => mesh?.[Symbol.asyncDispose]());

const at = (path: string) => join(mesh.folder, path);

function put(path: string, text: string): string {
  writeFileSync(at(path), text);
  return at(path);
}

async function run(status: number, ...args: string[]): Promise<CommandResult> {
  const result = await aimass.run("predict", ...args);
  if (result.status !== status) expect.fail(`${args.join(" ")}: ${result.status} ${result.stdout}${result.stderr}`);
  return result;
}

const read = (path: string) => readFileSync(at(path), "utf8");

describe("every row of a file", { timeout: 60_000 }, () => {
  it("comes back in order with its predictions, whose names are not those of other columns", async () => {
    const file = put("texts.csv", 'id,text,words\n007,"How, are you?",x\n008,,"y ""z"""\n009,Win,NA\n');
    const { stderr } = await run(0, "words", file, "-o", at("texts-out.csv"));
    expect(read("texts-out.csv")).toBe(
      'id,text,words,predicted_words,question\n007,"How, are you?",x,3,true\n008,,"y ""z""",0,false\n009,Win,NA,1,false\n',
    );
    expect(stderr).toMatch(/no inputs of the model: id, words/);
    await run(0, "words", file, "-o", at("only.tsv"), "--only-predictions", "--batch-rows", "2");
    expect(read("only.tsv")).toBe("words\tquestion\n3\ttrue\n0\tfalse\n1\tfalse\n");
    await run(0, "words@default", file, "-o", at("texts.jsonl"), "--without", "id", "--rename", "words=note");
    expect(read("texts.jsonl").split("\n").slice(1, 3)).toEqual([
      '{"text":null,"note":"y \\"z\\"","words":0,"question":false}',
      '{"text":"Win","note":null,"words":1,"question":false}',
    ]);
  });

  it("is read as the table is written: by commas, by tabs, as objects, in any encoding", async () => {
    const german = put("german.csv", "a;b;c;d\n1,5;2;3;4\n1.000,25;0;0;0\n");
    const { stdout } = await run(0, "tiny", german, "--decimal", ",", "--thousands", ".", "--format", "jsonl");
    const [first, second] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(Object.keys(first)).toEqual(["a", "b", "c", "d", "y_0", "y_1", "y_2", "y_3"]);
    expect([first.a, second.a]).toEqual([1.5, 1000.25]);
    const call = await run(0, "tiny", "--json", "--input", '{"x": [[1.5, 2, 3, 4], [1000.25, 0, 0, 0]]}');
    const { data } = JSON.parse(call.stdout).outputs[0];
    expect([first, second].flatMap(({ y_0, y_1, y_2, y_3 }) => [y_0, y_1, y_2, y_3])).toEqual(data);

    const lists = put(
      "lists.jsonl",
      '{"a": [1, 2], "b": [3, 4, 5], "n": 1.10}\n{"b": [0, 0, 1], "a": [0, 1], "n": null}\n',
    );
    const objects = (await run(0, "multi", lists)).stdout.trim().split("\n");
    expect(JSON.parse(objects[1] as string)).toMatchObject({ a_1: 1, n: null, total: 2, joined_1: 1, joined_4: 1 });
    expect(objects[0]).toContain('"n":1.10,"total":15,');

    const array = gzipSync('[{"text": "Who?", "n": 1}, {"n": 2}]');
    writeFileSync(at("array.json.gz"), array);
    const rows = (await run(0, "words", at("array.json.gz"))).stdout.trim().split("\n");
    expect(rows.map((row) => JSON.parse(row))).toEqual([
      { text: "Who?", n: 1, words: 1, question: true },
      { text: null, n: 2, words: 0, question: false },
    ]);

    writeFileSync(at("latin.tsv"), Buffer.from("text\tn\nOù vas-tu?\t1\n", "latin1"));
    const latin = await run(0, "words", at("latin.tsv"), "--encoding", "latin1", "--only-predictions");
    expect(latin.stdout).toBe("words,question\n2,true\n");
  });

  it("may come through a pipe and go down one, whose reader may leave", async () => {
    const child = aimass.start(["predict", "echo", "-", "--json"], "pipe");
    child.stdin?.end("x\n3\n9007199254740993\n");
    expect(await aimass.result(child)).toMatchObject({
      status: 0,
      stdout: '{"x":"3","y":3}\n{"x":"9007199254740993","y":9007199254740993}\n'.replaceAll(/"x":"(\d+)"/g, '"x":$1'),
    });
    const leaving = aimass.start(["predict", "echo", await numbers(20_000, "pipe.csv")]);
    leaving.stdout?.once("data", () => leaving.stdout?.destroy());
    expect(await aimass.result(leaving)).toMatchObject({
      status: 0,
      stderr: "Columns that are no inputs of the model: text.\n",
    });
  });

  it("goes to a model that takes four at once, also the last ones, and those beside a row that is refused", async () => {
    const numbered = (rows: readonly (number | string)[]) => `x\n${rows.join("\n")}\n`;
    const rows = Array.from({ length: 10 }, (_, index) => index + 1);
    await run(0, "fours", put("fours.csv", numbered(rows)), "-o", at("fours-out.csv"));
    expect(read("fours-out.csv")).toBe(`x,y\n${rows.map((row) => `${row},${row}\n`).join("")}`);
    const odd = numbered([1, 2, "three", 4, 5]);
    await run(1, "fours", put("fours-odd.csv", odd), "-o", at("fours-odd-out.csv"), "--skip-errors");
    expect(read("fours-odd-out.csv")).toBe("x,y\n1,1\n2,2\n4,4\n5,5\n");
    expect(JSON.parse(read("fours-odd-out.csv.errors"))).toMatchObject({ row: 3, cells: { x: "three" } });
  });

  it("has the meaning that it has in a call, with gaps and words", async () => {
    await trained(["datasets", "push", penguins], "--target species --model penguins --recipe logistic-regression");
    // Beside the words of the file itself, as they stand: the model knows what they mean.
    const [header, ...rows] = readFileSync(penguins, "utf8").trim().split("\n") as [string, ...string[]];
    const file = put(
      "penguins.csv",
      `${header}\n${rows.slice(0, 20).join("\n")}\nAdelie,NA,39.10,18.7,,3750,n/a,2007\n`,
    );
    expect((await admin.run("predict", "penguins", file, "-o", at("penguins-out.csv"))).status).toBe(0);
    const called = await fetch(`${mesh.mesh.url()}/models/penguins/predict`, {
      method: "POST",
      headers: { authorization: `Bearer ${mesh.apiKey}`, "content-type": "text/csv", accept: "text/csv" },
      body: readFileSync(file),
    });
    const expected = (await called.text()).trim().split("\n");
    const written = read("penguins-out.csv").trim().split("\n");
    expect(written).toHaveLength(22);
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(written).toEqual(lines.map((line, index) => `${line},${expected[index]}`));
  });

  it("has numbers as the model's data write them, unless it is said how the file does", async () => {
    const rows = Array.from({ length: 60 }, (_, row) => `${row * 40},5;${row % 7},25;${row * 4000}`);
    const written = rows.map((row) => row.replace(/(\d)(\d{3},)/, "$1.$2"));
    const file = put("preise.csv", `a;b;y\n${written.join("\n")}\n`);
    const push = ["datasets", "push", file, "--decimal", ",", "--thousands", "."];
    await trained(push, "--target y --model preise --recipe ridge");
    const of = async (...args: string[]) => {
      const { stdout } = await admin.run("predict", "preise", ...args, "--only-predictions");
      return stdout.trim().split("\n").map(Number);
    };
    // Without a comma anywhere in it, a column of thousands looks like one of small numbers.
    const german = put("german-rows.csv", "a;b\n1.500;2,25\n2.000;1,25\n");
    const plain = put("plain-rows.csv", "a,b\n1500,2.25\n2000,1.25\n");
    const expected = await of(plain, "--decimal", ".");
    expect(expected[1]).toBeGreaterThan(100_000);
    expect(await of(german)).toEqual(expected);
    expect(await of(german, "--decimal", ",", "--thousands", ".")).toEqual(expected);
  });
});

describe("a row that the model refuses", { timeout: 60_000 }, () => {
  const rows = (bad: Record<number, string>) =>
    `x\n${Array.from({ length: 1000 }, (_, index) => bad[index + 1] ?? index + 1).join("\n")}\n`;

  it("is named as a row of the file, and nothing stands at the output's name", async () => {
    const file = put("bad.csv", rows({ 701: "seven", 905: "1.5" }));
    const failed = await run(2, "echo", file, "-o", at("bad-out.csv"));
    expectHelpful(failed.stderr.replaceAll(mesh.folder, ""));
    expect(failed.stderr).toMatch(/Row 701, column "x", .*"seven".*--skip-errors/s);
    expect(existsSync(at("bad-out.csv"))).toBe(false);
    // What is done is kept: the run goes on when it is told what to do with such rows.
    const { stderr } = await run(1, "echo", file, "-o", at("bad-out.csv"), "--resume", "--skip-errors");
    expect(stderr).toMatch(/Going on after row 700/);
    const lines = read("bad-out.csv").trim().split("\n");
    expect(lines).toHaveLength(999);
    expect(lines).toContain("700,700");
    expect(lines).toContain("702,702");
    const errors = read("bad-out.csv.errors").trim().split("\n");
    expect(errors.map((line) => JSON.parse(line))).toEqual([
      { row: 701, error: expect.stringMatching(/^Row 701, column "x"/), cells: { x: "seven" } },
      { row: 905, error: expect.stringMatching(/^Row 905/), cells: { x: "1.5" } },
    ]);
    expect(readdirSync(mesh.folder).filter((name) => name.includes("partial"))).toEqual([]);
    const first = await run(2, "echo", put("first.csv", "x\none\n2\n"));
    expect(first.stderr).toMatch(/error: Row 1, column "x"/);
  });

  it("is found among others where the model's own words name none", async () => {
    const ids = Array.from({ length: 40 }, (_, row) => `{"ids": [${row}, ${row === 17 ? 99 : 1}]}`);
    const { stdout } = await run(
      1,
      "tokens",
      put("ids.jsonl", ids.join("\n")),
      "-o",
      at("ids-out.csv"),
      "--skip-errors",
    );
    expect(stdout).toMatch(/39 rows predicted.*\n1 row refused, kept in/);
    expect(JSON.parse(read("ids-out.csv.errors"))).toMatchObject({ row: 18, cells: { ids_0: "17", ids_1: "99" } });
  });

  it("leaves no errors of an earlier run behind where none is refused", async () => {
    put("good-out.csv.errors", "old\n");
    await run(0, "echo", put("good.csv", rows({})), "-o", at("good-out.csv"), "--skip-errors");
    expect(existsSync(at("good-out.csv.errors"))).toBe(false);
  });
});

describe("what a prediction on a file cannot do", { timeout: 60_000 }, () => {
  it.each([
    [
      "no column that is an input",
      "words",
      "a,b\n1,2\n",
      [],
      /None of the file's columns \(a, b\).*\(text\).*--rename/,
    ],
    ["too many columns without names", "tiny", "a,b,c,d,e\n1,2,3,4,5\n", [], /4 values.*5 columns.*--without/],
    ["an output of another kind", "echo", "x\n1\n", ["-o", "out.parquet"], /out\.parquet.*\.jsonl/],
    ["the input as its output", "echo", "x\n1\n", ["-o", "SAME"], /is the file that is read/],
    ["the input as a part of its output", "echo", "x\n1\n", ["-o", "BASE"], /is the file that is read, and one that/],
    ["to go on without a file", "echo", "x\n1\n", ["--resume"], /--resume needs a file/],
    ["a column that is not there", "echo", "x\n1\n", ["--columns", "z"], /no column "z"/],
    ["an unknown encoding", "echo", "x\n1\n", ["--encoding", "klingon"], /no encoding "klingon"/],
    ["a file without rows", "echo", "x\n", [], /no rows/],
    ["inputs beside the file", "echo", "x\n1\n", ["--input", "x=1"], /--input/],
  ])("is told: %s", async (_what, model, text, options, message) => {
    const file = put(options.includes("BASE") ? "odd.csv.partial" : "odd.csv", text);
    const words: Readonly<Record<string, string>> = { SAME: file, BASE: at("odd.csv") };
    const result = await run(2, model, file, ...options.map((word) => words[word] ?? word));
    expect(result.stderr).toMatch(message);
    expectHelpful(result.stderr.replaceAll(mesh.folder, ""));
  });

  it("is told: a disk without room", async () => {
    const { stderr } = await run(1, "echo", await numbers(5000, "full.csv"), "-o", "/dev/full");
    expect(stderr).toMatch(/error: \/dev\/full cannot be written \(ENOSPC\)\. Make room/);
  });

  it("is told: a model, a file or a folder that is not there", async () => {
    const file = put("odd.csv", "x\n1\n");
    expect((await run(4, "nothing", file)).stderr).toMatch(/"nothing"/);
    expect((await run(4, "echo", at("nowhere.csv"))).stderr).toMatch(/nowhere\.csv/);
    expect((await run(4, "echo", file, "-o", at("nowhere/out.csv"))).stderr).toMatch(/no folder/);
  });

  it.each([
    ["-o", "out.csv"],
    ["--format", "csv"],
    ["--file-format", "csv"],
    ["--batch-rows", "9"],
    ["--concurrency", "4"],
    ["--retry-for", "2m"],
    ["--decimal", ","],
    ["--columns", "x"],
    ["--keep-index"],
    ["--resume"],
  ])("is told: %s without a file", async (...option) => {
    const { stderr } = await run(2, "echo", ...option);
    expect(stderr).toMatch(/^error: --[\w-]+ says how a file is predicted, and no file was named\./);
    expectHelpful(stderr);
  });
});

describe(`a file of ${manyRows} rows`, { timeout: 240_000 }, () => {
  it("loses no row and has none twice while a replica and the router are killed, in memory that does not grow with it", async () => {
    const file = await numbers(manyRows, "many.csv");
    const small = aimass.start(["predict", "echo", await numbers(20_000, "fewer.csv"), "-o", at("fewer-out.csv")]);
    const least = await peakMemory(small.pid as number, small);
    const child = aimass.start(["predict", "echo", file, "-o", at("many-out.csv")]);
    const peak = peakMemory(child.pid as number, child);
    const result = aimass.result(child);
    await grown(at("many-out.csv.partial"), 400_000);
    process.kill(replicaPids()[0] as number, "SIGKILL");
    await grown(at("many-out.csv.partial"), 800_000);
    process.kill(mesh.mesh.processes.get("router")?.pid as number, "SIGKILL");
    expect(await result).toMatchObject({ status: 0 });
    await expectWhole("many-out.csv");
    expect(await peak).toBeLessThan(least + 200 * 1024 * 1024);
  });

  it("is gone on with where a run was killed, and by no other run", async () => {
    const file = await numbers(manyRows, "many.csv");
    const args = ["predict", "echo", file, "-o", at("resumed.csv")];
    const child = aimass.start(args);
    await grown(at("resumed.csv.partial"), 600_000);
    expect((await run(1, ...args.slice(1))).stderr).toMatch(/^.*\nerror: Process \d+ writes .*resumed\.csv\./);
    process.kill(-(child.pid as number), "SIGKILL");
    await once(child, "close");
    expect(existsSync(at("resumed.csv"))).toBe(false);
    expect((await run(1, ...args.slice(1), "--only-predictions", "--resume")).stderr).toMatch(/other options/);
    const killedAt = read("resumed.csv.partial").length;
    const interrupted = aimass.start([...args, "--resume"]);
    const ended = aimass.result(interrupted);
    await grown(at("resumed.csv.partial"), killedAt + 200_000);
    interrupted.kill("SIGINT");
    const { status, stderr } = await ended;
    expect({ status, stderr }).toMatchObject({ status: 130, stderr: expect.stringMatching(/--resume/) });
    const { stderr: told } = await run(0, ...args.slice(1), "--resume");
    expect(told).toMatch(/Going on after row \d{4,6}\./);
    await expectWhole("resumed.csv");
  });
});

/** Pushes a dataset, trains on it and deploys what came of it. */
async function trained(push: readonly string[], flags: string): Promise<void> {
  const model = /--model (\w+)/.exec(flags)?.[1] as string;
  const train = `train --dataset ${model} ${flags} --alias default`.split(" ");
  for (const args of [push, train, ["deploy", model]]) {
    const result = await admin.run(...args);
    if (result.status !== 0) expect.fail(`${args.join(" ")}: ${result.stderr}`);
  }
}

async function numbers(count: number, name: string): Promise<string> {
  const file = createWriteStream(at(name));
  file.write("x,text\n");
  for (let row = 1; row <= count; row++)
    if (!file.write(`${row},the ${row}th of many rows\n`)) await once(file, "drain");
  file.end();
  await once(file, "close");
  return at(name);
}

/** Row n of the file is n, its text and n. */
async function expectWhole(name: string): Promise<void> {
  let row = 0;
  for await (const line of createInterface(createReadStream(at(name)))) {
    if (row > 0 && line !== `${row},the ${row}th of many rows,${row}`) expect.fail(`Line ${row + 1} is ${line}`);
    row++;
  }
  expect(row).toBe(manyRows + 1);
}

async function grown(path: string, bytes: number): Promise<void> {
  for (const until = Date.now() + 60_000; Date.now() < until; ) {
    if (existsSync(path) && readFileSync(path).length >= bytes) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect.fail(`${path} does not grow.`);
}

/** Resident bytes of a process and its children at most. */
async function peakMemory(pid: number, child: { readonly exitCode: number | null; readonly signalCode: unknown }) {
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    for (const one of [pid, ...childPids(pid)]) peak = Math.max(peak, highWater(one));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return peak;
}

function childPids(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function highWater(pid: number): number {
  try {
    return Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function replicaPids(): number[] {
  const folder = join(mesh.mesh.data.path, "agent", "replicas");
  return readdirSync(folder).map(
    (name) => (JSON.parse(readFileSync(join(folder, name, "process.json"), "utf8")) as { pid: number }).pid,
  );
}
