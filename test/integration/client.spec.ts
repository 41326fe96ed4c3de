import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ModelService } from "@aimass/api/registry";
import { connect, errorOf, type Mesh, signedIn, tensor } from "@aimass/client";
import { multiInputModel, textModel, tinyModel } from "@aimass/onnx/samples";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Command } from "../support/command.ts";
import { TestMesh } from "../support/test-mesh.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const penguins = join(root, "services/cli/data/penguins.csv");

let mesh: TestMesh;
let caller: Mesh;
let admin: Command;

beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 1 });
  caller = connect(`${mesh.mesh.url()}/`, { credential: mesh.apiKey });
  await mesh.serve("words", textModel(), 1);
  await mesh.serve("tiny", tinyModel(), 1);
  await mesh.serve("multi", multiInputModel(), 1);
  admin = new Command({ AIMASS_SERVER: mesh.mesh.url(), XDG_CONFIG_HOME: join(mesh.folder, "config") });
  writeFileSync(join(mesh.folder, "password"), `${mesh.mesh.adminPassword()}\n`);
  for (const line of [
    ["login", "--password-file", join(mesh.folder, "password")],
    ["datasets", "push", penguins],
    [
      "train",
      "--dataset",
      "penguins",
      "--target",
      "species",
      "--model",
      "penguins",
      "--recipe",
      "logistic-regression",
      "--alias",
      "default",
    ],
    ["deploy", "penguins"],
  ]) {
    const { status, stdout, stderr } = await admin.run(...line);
    if (status !== 0) expect.fail(`${line.join(" ")}: ${stdout}${stderr}`);
  }
}, 240_000);

afterAll(() => mesh?.[Symbol.asyncDispose]());

const row = {
  island: "Dream",
  bill_length_mm: 46.5,
  bill_depth_mm: 17.9,
  flipper_length_mm: 181,
  body_mass_g: null,
  sex: null,
  year: 2007,
};

describe("a client in TypeScript", () => {
  it("predicts rows by name and values of one input, many in several requests, in their order", async () => {
    const { predictions, classes, versions } = await caller
      .model("penguins")
      .predict([row, { ...row, island: "Biscoe" }]);
    expect(predictions).toHaveLength(2);
    expect(predictions[0]).toMatchObject({ label: expect.any(String), probabilities: expect.any(Array) });
    expect(classes.probabilities).toEqual(["Adelie", "Chinstrap", "Gentoo"]);
    expect(versions).toEqual(["1"]);
    const texts = Array.from({ length: 3000 }, (_, i) => `${"word ".repeat(200)}${i % 7 === 0 ? "more" : ""}`);
    const many = await caller
      .model<{ row: string; prediction: { words: number } }>("words")
      .at("default")
      .predict(texts);
    expect(many.predictions.map(({ words }) => words)).toEqual(texts.map((text) => text.trim().split(/ +/).length));
    expect((await caller.model("words").predict([])).predictions).toEqual([]);
  });

  it("runs a model on tensors of several types", async () => {
    const { y } = await caller
      .model("tiny")
      .at(1)
      .infer({ x: tensor("FP32", [2, 4], new Float32Array(8).fill(1)) });
    expect(y).toMatchObject({ datatype: "FP32", shape: [2, 4] });
    expect(y?.data).toBeInstanceOf(Float32Array);
    const { words } = await caller.model("words").infer({ text: tensor("BYTES", [2], ["one two", ""]) });
    expect(Array.from(words?.data as ArrayLike<bigint>, Number)).toEqual([2, 0]);
  });

  it("says what was wrong with code, sentence and facts", async () => {
    const refusal = (call: Promise<unknown>) => call.then(() => expect.fail("It was taken."), errorOf);
    expect(await refusal(caller.model("nothing").predict([{}]))).toMatchObject({ code: "NOT_FOUND" });
    expect(await refusal(caller.model("penguins").predict([{ ...row, bill_length_mm: "long" }]))).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("bill_length_mm"),
    });
    expect(await refusal(caller.model("tiny").infer({ z: tensor("FP32", [1], [1]) }))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: expect.any(String),
      remedy: expect.any(String),
    });
    expect(
      await refusal(
        connect(mesh.mesh.url())
          .model("tiny")
          .predict([[1, 2, 3, 4]]),
      ),
    ).toMatchObject({
      code: "UNAUTHENTICATED",
    });
    expect(() => connect("localhost:5000")).toThrow(expect.objectContaining({ remedy: expect.any(String) }));
    const signal = AbortSignal.abort();
    expect(await refusal(caller.model("tiny").predict([[1, 2, 3, 4]], { signal }))).toMatchObject({
      code: "CANCELLED",
    });
  });

  it("calls every API of the contracts, as a person who signed in", async () => {
    const password = mesh.mesh.adminPassword() as string;
    const credential = await signedIn(mesh.mesh.url(), { username: "admin", password });
    const person = connect(mesh.mesh.url(), { credential });
    const { models } = await person.client(ModelService).listModels({});
    expect(models.map(({ name }) => name).sort()).toEqual(["multi", "penguins", "tiny", "words"]);
    // An hour later its token has ended, and is renewed once for all.
    const later = await signedIn(mesh.mesh.url(), { username: "admin", password, now: () => Date.now() + 3_600_000 });
    const tokens = await Promise.all([1, 2, 3].map(() => (later as () => Promise<string>)()));
    expect(new Set(tokens).size).toBe(1);
    const wrong = signedIn(mesh.mesh.url(), { username: "admin", password: "wrong" });
    await expect(wrong).rejects.toMatchObject({ code: "UNAUTHENTICATED", reason: "SIGN_IN_FAILED" });
  });

  it("tries again what the mesh cannot take at the moment, when it says", async () => {
    let calls = 0;
    const busy = createServer((_, response) => {
      calls++;
      if (calls < 3) response.writeHead(503, { "retry-after": "1" }).end('{"error":"No replica answers."}');
      else response.writeHead(200, { "aimass-version": "7" }).end('{"predictions":[1]}');
    });
    await new Promise<void>((resolve) => busy.listen(0, "127.0.0.1", resolve));
    const { port } = busy.address() as AddressInfo;
    const startedAt = performance.now();
    expect(
      await connect(`http://127.0.0.1:${port}`)
        .model("x")
        .predict([[1]]),
    ).toMatchObject({ versions: ["7"] });
    expect(calls).toBe(3);
    expect(performance.now() - startedAt).toBeGreaterThan(1900);
    // A proxy before a mesh that is away.
    calls = 0;
    busy.removeAllListeners("request").on("request", (_, response) => {
      if (++calls < 2) response.writeHead(502).end("<html>Bad gateway</html>");
      else response.writeHead(200, { "aimass-version": "7" }).end('{"predictions":[1]}');
    });
    const behind = connect(`http://127.0.0.1:${port}`).model("x");
    expect(await behind.predict([[1]])).toMatchObject({ versions: ["7"] });
    // What is refused ends the requests that are not sent yet.
    calls = 3;
    busy.removeAllListeners("request").on("request", (_, response) => {
      calls++;
      response.writeHead(400).end('{"error":"No."}');
    });
    const rows = Array.from({ length: 40 }, () => ["x".repeat(600_000)]);
    const server = `http://127.0.0.1:${port}`;
    await expect(connect(server).model("x").predict(rows)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(calls - 3).toBeLessThanOrEqual(8);
    // What the network loses is tried again, by either way of calling.
    const { port: gone } = await closedPort();
    const lost = connect(`http://127.0.0.1:${gone}`, { retry: { attempts: 2 } }).model("x");
    for (const call of [() => lost.predict([[1]]), () => lost.infer({ x: tensor("FP32", [1], [1]) })])
      await expect(call()).rejects.toMatchObject({ code: "UNAVAILABLE", message: expect.stringContaining("Nothing") });
    busy.removeAllListeners("request").on("request", (_, response) => {
      response.writeHead(200, { "content-length": 100 }).write('{"pred');
      response.destroy();
    });
    const broken = connect(server, { retry: { attempts: 2 } })
      .model("x")
      .predict([[1]]);
    await expect(broken).rejects.toMatchObject({ code: "UNAVAILABLE" });
    busy.removeAllListeners("request").on("request", (_, response) => {
      response.writeHead(503).end('{"error":"No replica answers."}');
    });
    const once = connect(`http://127.0.0.1:${port}`, { retry: { attempts: 1 } })
      .model("x")
      .predict([[1]]);
    await expect(once).rejects.toMatchObject({ code: "UNAVAILABLE", message: "No replica answers." });
    busy.close();
  });
});

/** A port that nobody listens on. */
async function closedPort(): Promise<{ port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return { port };
}

describe("types of a model", () => {
  it("are written by `aimass models types`; a row that the model would not take does not compile", async () => {
    const folder = mkdtempSync(join(root, "node_modules", ".types-"));
    try {
      const { status } = await admin.run("models", "types", "penguins", "-o", join(folder, "penguins.ts"));
      expect(status).toBe(0);
      const problems = (row: string) => {
        const text = `import { connect } from "@aimass/client";
import type { Penguins } from "./penguins.ts";
const { predictions } = await connect("http://x").model<Penguins>("penguins").predict([${row}]);
export const label: "Adelie" | "Chinstrap" | "Gentoo" | undefined = predictions[0]?.label;
export const first: number | undefined = predictions[0]?.probabilities[0];
`;
        writeFileSync(join(folder, "use.ts"), text);
        const options = {
          extends: join(root, "tsconfig.json"),
          include: ["*.ts"],
          exclude: [],
          compilerOptions: { rootDir: root },
        };
        writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options));
        return spawnSync(join(root, "node_modules/.bin/tsc"), ["--noEmit", "-p", folder], { encoding: "utf8" }).stdout;
      };
      expect(problems(JSON.stringify(row))).toBe("");
      expect(problems('{ island: "Dream" }')).toBe("");
      expect(problems('{ bill_length_mm: "long" }')).toMatch(/not assignable to type 'number'/);
      expect(problems("{ beak: 1 }")).toMatch(/'beak' does not exist/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 60_000);
});
