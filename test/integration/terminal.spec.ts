import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DirectoryService } from "@aimass/api/auth";
import { AliasService, ModelService } from "@aimass/api/registry";
import { tinyModel } from "@aimass/onnx/samples";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Command } from "../support/command.ts";
import { TestMesh } from "../support/test-mesh.ts";

/** Retitles a window, colours, turns the order of a line, and makes a line that is not the program's. */
const hostile = "x\x1b]0;pwned\x07\x9b31m\u202etxet\u2066\x7f\r\nforged";
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const commanding = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

let mesh: TestMesh;
let aimass: Command;
const file = (name: string) => join(mesh.folder, name);

beforeAll(async () => {
  mesh = await TestMesh.start({ replicas: 1 });
  aimass = new Command({ AIMASS_SERVER: mesh.mesh.url(), XDG_CONFIG_HOME: mesh.folder });
  writeFileSync(file("password"), mesh.mesh.adminPassword() as string);
  await aimass.run("login", "--password-file", file("password"));
  const version = await mesh.push("tiny", tinyModel(), { moveAlias: false });
  const at = { project: "default", model: "tiny" };
  const client = mesh.admin.client(AliasService);
  await client.moveAlias({ ...at, alias: "default", version: version.version, reason: hostile });
  const models = mesh.admin.client(ModelService);
  await models.createModel({ project: "default", name: "named", description: hostile });
  const directory = mesh.admin.client(DirectoryService);
  await directory.createApiKey({ principal: "service-account:traffic", description: hostile });
  await directory.createUser({ name: "eve", displayName: hostile, password: "correct horse battery" });
  await mesh.admin.signIn(hostile, "no password").catch(() => {});
  writeFileSync(file("rows.csv"), `"a${hostile}",b\n"${hostile}",1\n"y",2\n"${hostile}",12345678.25\n`);
  writeFileSync(file("bad.csv"), `a,b\n${"1,1\n".repeat(20)}"1,234","${hostile}"\n"${hostile}",2,3\n`);
}, 120_000);
afterAll(async () => {
  await mesh?.[Symbol.asyncDispose]();
});

describe("what strangers wrote", { timeout: 180_000 }, () => {
  const commands = [
    ["datasets", "push", "rows.csv", "rows", "--description", hostile, "--source", hostile],
    ["datasets", "push", "bad.csv", "bad"],
    ["datasets", "list"],
    ["datasets", "show", "rows"],
    ["datasets", "preview", "rows"],
    ["models", "list"],
    ["models", "show", "tiny"],
    ["models", "show", "named"],
    ["keys", "list"],
    ["users", "list"],
    ["grants", "list"],
    ["audit", "list"],
    ["status"],
    ["jobs", "list"],
    ["models", "show", hostile],
    ["train", "--dataset", "rows", "--target", hostile, "--model", "m"],
  ];
  const cases = commands.map((args) => ({ args, what: JSON.stringify(args.slice(0, 3).join(" ")) }));

  it.each(cases)("commands no terminal in what $what says", async ({ args }) => {
    const typed = args.map((word) => (word.endsWith(".csv") ? file(word) : word));
    for (const words of [typed, [...typed, "--json"]]) {
      const { stdout, stderr } = await aimass.run(...words);
      expect(`${stdout}${stderr}`).not.toMatch(commanding);
      expect(`${stdout}${stderr}`).not.toMatch(/^forged/m);
      expect(`${stdout}${stderr}`.length).toBeGreaterThan(1);
    }
  });

  it("is in JSON what it was", async () => {
    const { stdout } = await aimass.run("datasets", "show", "rows", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      description: hostile,
      columns: [{ name: `a${hostile}` }, { name: "b" }],
    });
  });

  it("is no name in the audit log when it cannot be one", async () => {
    const { stdout } = await aimass.run("audit", "list");
    expect(stdout).toMatch(/sign_in_failed.*user:\?/);
  });
});

describe("the first rows", () => {
  it("are the rows, to the last digit", async () => {
    const rows = "id,price,day\n12345,99999.5,20231231\n123456789,0.1,20240101\n";
    writeFileSync(file("exact.csv"), rows);
    await aimass.run("datasets", "push", file("exact.csv"));
    const { stdout } = await aimass.run("datasets", "preview", "exact");
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.trim().split(/ +/)),
    ).toEqual(
      rows
        .trim()
        .split("\n")
        .map((line) => line.split(",")),
    );
  });
});
