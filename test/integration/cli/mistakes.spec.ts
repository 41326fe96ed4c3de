import { readFileSync } from "node:fs";
import { childProcessesOf } from "@aimass/cli";
import { describe, expect, it } from "vitest";
import { Command, type CommandResult } from "../../support/command.ts";
import { expectFailure } from "../../support/failure.ts";
import { expectHelpful } from "../../support/helpful.ts";
import { terminalMesh } from "../../support/terminal-mesh.ts";

const mesh = terminalMesh(async ({ file, json, signIn }) => {
  await signIn();
  await json("run", file("tiny.onnx"));
});
const { json, words, adminPassword } = mesh;

describe("aimass doctor, nodes and quarantine", { timeout: 180_000 }, () => {
  it("finds nothing wrong with a mesh that runs, and names the part that stopped", async () => {
    const { healthy, findings } = await json<{ healthy: boolean; findings: { check: string; state: string }[] }>(
      "doctor",
      "--data",
      mesh.data,
    );
    expect(findings.filter(({ state }) => state === "problem")).toEqual([]);
    expect(healthy).toBe(true);
    const parts = ["router", "auth", "registry", "trainer", "scheduler", "console", "replicas"];
    expect(findings.map(({ check }) => check)).toEqual(expect.arrayContaining(parts));
    const [trainer] = childProcessesOf(mesh.up.supervisor).filter(({ command }) =>
      command.includes("trainer/src/main.ts"),
    );
    const { pid } = trainer ?? expect.fail();
    process.kill(pid, "SIGSTOP");
    try {
      const result = await mesh.aimass.run("doctor", "--data", mesh.data);
      expect(result.stdout).toMatch(/WRONG +trainer +It does not answer.*\n +→ Read .*logs\/trainer\.log/);
      expect(result.stdout).toMatch(/ok +registry/);
      expect(result.status).toBe(1);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    const little = await mesh.aimass.run("doctor", "--data", mesh.data, "--least-disk", "1000TiB", "--json");
    expect(little.status).toBe(1);
    expect(JSON.parse(little.stdout)).toMatchObject({ healthy: false });
    expectFailure(
      await mesh.aimass.run("doctor", "--data", mesh.data, "--least-disk", "much"),
      2,
      /--least-disk is "much"/,
    );
  });

  it("drains machines, and lists what is in quarantine", async () => {
    expect(await words("nodes", "list")).toMatch(/local .*local\/cpu-0 live/);
    expect(await json("nodes", "drain", "local")).toMatchObject([{ id: "local/cpu-0", draining: true }]);
    expect(await words("nodes", "list")).toMatch(/local\/cpu-0 draining/);
    expect(await json("nodes", "drain", "local/cpu-0", "--undo")).toMatchObject([{ draining: false }]);
    expectFailure(await mesh.aimass.run("nodes", "drain", "lokal"), 4, /"lokal".*Did you mean local/);
    expect(await words("quarantine", "list")).toMatch(/Nothing is in quarantine/);
    expectFailure(await mesh.aimass.run("quarantine", "release", "tiny:1"), 4, /tiny:1 is not in quarantine/);
  });
});

describe.concurrent("a wrong command", { timeout: 180_000 }, () => {
  it.each<[string, string[], number, RegExp]>([
    ["an unknown command", ["modles", "list"], 2, /unknown command 'modles'.*models/s],
    ["an unknown option", ["models", "list", "--colour"], 2, /unknown option '--colour'/],
    ["a missing argument", ["models", "push", "tiny"], 2, /missing required argument 'path'/],
    ["a name that is none", ["models", "show", "no such/model"], 2, /"no such\/model" is not a model name.*letters/s],
    ["a version that is none", ["models", "alias", "tiny", "default", "two"], 2, /"two" is not a version number/],
    ["a level that is none", ["grants", "add", "user:ada", "default", "--level", "all"], 2, /view, infer, edit/],
    ["an input that is no JSON", ["predict", "tiny", "--input", "{x"], 2, /not JSON.*Write it like/s],
    ["an input of another shape", ["predict", "tiny", "--input", '{"x": [[1]]}'], 2, /\[1,1\].*\[-1,4\]/s],
    ["a file that is not there", ["models", "push", "tiny", "nowhere.onnx"], 4, /nowhere\.onnx cannot be read/],
    ["a password file that is not there", ["login", "--password-file", "nowhere"], 4, /nowhere/],
    ["an unknown model", ["models", "show", "nothing"], 4, /no model "default\.nothing"/],
    ["an unknown version", ["models", "show", "tiny:99"], 4, /tiny.*99/],
    ["an unknown model to predict", ["predict", "nothing"], 4, /"nothing"/],
    ["a count that is none", ["audit", "list", "--count", "few"], 2, /--count is "few"/],
    ["an owner that is none", ["admin", "container-secrets", "nowhere", "--owner", "me"], 2, /--owner is "me"/],
    ["a port that is none", ["up", "--port", "high"], 2, /--port is "high".*0 to 65535/s],
    ["too many replicas", ["up", "--replicas", "5000"], 2, /--replicas is "5000"/],
    ["no replicas", ["deploy", "tiny", "--replicas", "0"], 2, /--replicas is "0".*from 1/s],
    ["a review of no version", ["models", "review", "tiny", "--request"], 2, /No version was named.*tiny:1/s],
    ["a server that is no URL", ["--server", "not a url", "models", "list"], 2, /not a url.*http/s],
  ])("(%s) exits with the right status and a sentence that helps", async (_what, args, status, sentence) => {
    expectFailure(await mesh.aimass.run(...args), status, sentence);
  });

  it("shows no empty default in its help", async () => {
    for (const command of [
      ["models", "list"],
      ["keys", "list"],
      ["datasets", "show"],
    ])
      expect(await words(...command, "--help")).not.toMatch(/default: +"0?"/);
    expect(await words("keys", "create", "--help")).toMatch(/default: "90d"/);
  });

  it("says it in JSON, too", async () => {
    const { status, stdout } = await mesh.aimass.run("models", "show", "nothing", "--json");
    expect(status).toBe(4);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    expect(error.code).toBe("NOT_FOUND");
    expectHelpful(error.message);
  });

  it("exits 5 where nothing answers, and says what to start", async () => {
    const lost = new Command({ AIMASS_SERVER: "http://127.0.0.1:9", AIMASS_API_KEY: "aim_x" });
    for (const args of [["models", "list"], ["predict", "tiny"], ["status"]])
      expectFailure(await lost.run(...args), 5, /Nothing answers at http:\/\/127\.0\.0\.1:9.*npm start/s);
  });
});

describe("aimass login", { timeout: 180_000 }, () => {
  const signIn = async (input: string): Promise<CommandResult> => {
    const child = mesh.aimass.start(["login"], "pipe");
    child.stdin?.end(input);
    return mesh.aimass.result(child);
  };

  it("takes a password from a pipe, with or without a final newline", async () => {
    const password = readFileSync(adminPassword(), "utf8").trim();
    for (const input of [password, `${password}\n`, `${password}\r\nmore\n`])
      expect(await signIn(input)).toMatchObject({ status: 0, stdout: expect.stringContaining("Signed in") });
  });

  it("says that none was given when the input is empty", async () => {
    expectFailure(await signIn(""), 2, /No password was given/);
    expectFailure(await mesh.aimass.run("login"), 2, /No password was given/);
  });
});
