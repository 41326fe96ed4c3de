import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { commandModules, modulesFor } from "./catalogue.ts";

async function namesOf(modules: typeof commandModules): Promise<string[]> {
  const program = new Command();
  for (const { load } of modules) (await load())(program);
  return program.commands.map((command) => command.name());
}

describe("the catalogue of commands", () => {
  it.each(commandModules.map((module) => [module.names.join(", "), module] as const))(
    "adds %s as it says",
    async (_, module) => {
      expect(await namesOf([module])).toEqual(module.names);
    },
  );

  it("loads what the first word needs, and everything for help, suggestions and completion", async () => {
    expect(await namesOf(modulesFor("keys"))).toContain("keys");
    expect(modulesFor("models")).toHaveLength(1);
    for (const word of [undefined, "--help", "modles", "completion"]) expect(modulesFor(word)).toEqual(commandModules);
  });
});
