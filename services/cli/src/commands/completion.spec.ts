import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { findProgram } from "@aimass/testkit";
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

describe("the completion of other shells", () => {
  it.each([
    ["zsh", zshScript(words)],
    ["fish", fishScript(words)],
  ])("is a script that %s reads, when it is there", async (shell, script) => {
    if (findProgram(shell) !== undefined) await run(shell, ["-n", "-c", script]);
    for (const { path } of words.slice(1)) expect(script).toContain(path);
    expect(script).toContain("project");
  });

  it("quotes what a description holds", () => {
    expect(fishScript(words)).toContain("-d 'the user\\'s models'");
  });
});
