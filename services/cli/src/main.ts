import { Command, CommanderError, Help } from "commander";
import { modulesFor } from "./commands/catalogue.ts";
import { endWithOutput } from "./output/closed-output.ts";
import { plainLine } from "./output/plain-text.ts";

endWithOutput();

const program = new Command("aimass")
  .description("AI Mass: keep, train, deploy and serve models")
  .option("--server <url>", "the mesh to talk to (AIMASS_SERVER; default http://127.0.0.1:5000)")
  .option("--api-key <key>", "an API key instead of a session (AIMASS_API_KEY)")
  .option("--json", "results as JSON")
  .configureHelp({
    showGlobalOptions: true,
    // Defaults that stand for "left out" say nothing to a person.
    optionDescription: (option) => new Help().optionDescription(option).replace(/ \(default: "0?"\)$/, ""),
  })
  .showHelpAfterError("(see --help)")
  .configureOutput({ writeErr: (text) => process.stderr.write(text.split("\n").map(plainLine).join("\n")) })
  .exitOverride();

for (const { load } of modulesFor(process.argv[2])) (await load())(program);
for (const command of allCommands(program)) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}

// A command that is done ends, whatever idle connections its clients still keep open.
await Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write("", resolve))),
);
process.exit();

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...allCommands(child)]);
}
