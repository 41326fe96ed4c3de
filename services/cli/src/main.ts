import { Command, CommanderError, Help } from "commander";
import { addAccess } from "./commands/access.ts";
import { addAdmin } from "./commands/admin.ts";
import { addAudit } from "./commands/audit.ts";
import { addCompletion } from "./commands/completion.ts";
import { addDatasets } from "./commands/datasets.ts";
import { addDemo } from "./commands/demo.ts";
import { addDeploy } from "./commands/deploy.ts";
import { addDeployments } from "./commands/deployments.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addExamples } from "./commands/examples.ts";
import { addImport } from "./commands/import.ts";
import { addJobs } from "./commands/jobs.ts";
import { addLogin } from "./commands/login.ts";
import { addModels } from "./commands/models.ts";
import { addNodes } from "./commands/nodes.ts";
import { addPredict } from "./commands/predict.ts";
import { addProjects } from "./commands/projects.ts";
import { addRun } from "./commands/run.ts";
import { addStatus } from "./commands/status.ts";
import { addTrain } from "./commands/train.ts";
import { addUp } from "./commands/up.ts";
import { plainLine } from "./output/plain-text.ts";

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

for (const add of [
  addUp,
  addDemo,
  addExamples,
  addLogin,
  addRun,
  addImport,
  addModels,
  addDatasets,
  addTrain,
  addJobs,
  addDeploy,
  addDeployments,
  addPredict,
  addStatus,
  addDoctor,
  addProjects,
  addAccess,
  addAudit,
  addNodes,
  addAdmin,
  addCompletion,
])
  add(program);
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
