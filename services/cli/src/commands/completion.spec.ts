import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describeWith } from "@aimass/testkit";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { bashScript, commandWords, fishScript, zshScript } from "./completion.ts";

const run = promisify(execFile);
const program = new Command("aimass").option("--json", "results as JSON");
program.command("deploy").description("serve a model").option("-r, --replicas <n>", "how many");
const models = program.command("models").description("the user's models");
models.command("list").description("those you may view").option("-p, --project <name>", "only of this");
models.command("pull").description("download");
const words = commandWords(program);

/** What bash offers after some words, of which the last is being typed. */
async function offered(...typed: string[]): Promise<string[]> {
  const script = `${bashScript(words)}\nCOMP_WORDS=(aimass "$@"); COMP_CWORD=$#; _aimass; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run("bash", ["-c", script, "bash", ...typed]);
  return stdout.split("\n").filter(Boolean);
}

describe("bash's completion", () => {
  it.each([
    [["mo"], ["models"]],
    [
      ["models", ""],
      ["list", "pull", "--json", "--help"],
    ],
    [["models", "list", "--p"], ["--project"]],
    [["--json", "models", "p"], ["pull"]],
    [["models", "pull", "list", "--p"], []],
    [["deploy", "fraud", "--r"], ["--replicas"]],
    [["models", "list", "no-such", "x"], []],
  ])("after %j offers %j", async (typed, expected) => {
    expect(await offered(...typed)).toEqual(expected);
  });
});

/** Whole scripts, as of a program with every command. */
const others = [
  ["zsh", zshScript(words)],
  ["fish", fishScript(words)],
] as const;

for (const [shell, script] of others)
  describeWith("ci", { needs: shell }, `the completion of ${shell}`, () => {
    it(`is a script that ${shell} reads`, async () => {
      await run(shell, ["-n", "-c", script]);
    });
  });

describeWith("ci", { needs: "fish" }, "what fish offers", () => {
  it.each([
    ["aimass mo", ["models"]],
    ["aimass models p", ["pull"]],
    ["aimass models list --p", ["--project"]],
  ])("after %j is %j", async (typed, expected) => {
    const { stdout } = await run("fish", ["-c", `${fishScript(words)}\ncomplete -C '${typed}'`]);
    const offered = stdout.split("\n").map((line) => line.split("\t")[0]);
    expect(offered).toEqual(expect.arrayContaining(expected));
  });
});

describe("the completion of other shells", () => {
  it.each(others)("has every command, for %s", (_shell, script) => {
    for (const { path } of words.slice(1)) expect(script).toContain(path);
    expect(script).toContain("project");
  });

  it("quotes what a description holds", () => {
    expect(fishScript(words)).toContain("-d 'the user\\'s models'");
  });
});
