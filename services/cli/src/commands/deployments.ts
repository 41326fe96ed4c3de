import {
  type DeploymentHistoryEntry,
  DeploymentService,
  type DeploymentSpec,
  DeploymentSpecSchema,
  RolloutPhase,
} from "@aimass/api/scheduler";
import { AimassError } from "@aimass/core";
import { toJson } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import { modelName, time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { action, type CommandContext, modelArgument } from "./context.ts";
import { currentDeployment, deploymentTable, putWishes } from "./deploy.ts";

/** What is served, beside `deploy`, which makes, changes and ends it. */
export function addDeployments(program: Command): void {
  const deployments = program.command("deployments").description("what is served: list, pause, resume, history");
  deployments
    .command("list")
    .description("deployments you may view")
    .option("-p, --project <name>", "only of this project", "")
    .action(
      action<{ project: string }>(async ({ connection, output }, { project }) => {
        const all = await allPages(
          (page) => connection.client(DeploymentService).listDeployments({ project, page }),
          (answer) => answer.deployments,
        );
        output.result(all, () =>
          all.length === 0 ? "Nothing is deployed that you may see. Try: aimass deploy MODEL" : deploymentTable(all),
        );
      }),
    );
  for (const [verb, paused, what] of [
    [
      "pause",
      true,
      "roll nothing out: aliases stay at the versions they serve, whatever they point at; traffic goes on",
    ],
    ["resume", false, "roll out what the aliases point at again"],
  ] as const)
    deployments
      .command(verb)
      .description(what)
      .argument("<model>")
      .action(action((context, _options, [name]) => setPaused(context, name as string, paused)));
  deployments
    .command("history")
    .description("who changed a deployment and how, and which version served from when; newest first")
    .argument("<model>")
    .action(action((context, _options, [name]) => showHistory(context, name as string)));
}

async function setPaused({ connection, output }: CommandContext, named: string, paused: boolean): Promise<void> {
  const at = modelArgument(named);
  const name = modelName(at.project, at.model);
  // A wish for what is not there would make it.
  if ((await currentDeployment(connection, at.project, at.model)) === undefined)
    throw new AimassError("NOT_FOUND", `${name} is not deployed.`, { remedy: `Deploy it: aimass deploy ${name}` });
  const { deployment } = await putWishes(connection, { ...at, paused });
  output.result(deployment, () =>
    paused ? `${name} is paused: each alias stays at the version it serves.` : `${name} goes on.`,
  );
  output.hint(paused ? `Next: aimass deployments resume ${name}` : "Next: aimass status");
}

async function showHistory({ connection, output }: CommandContext, named: string): Promise<void> {
  const model = modelArgument(named);
  const entries = await allPages(
    (page) => connection.client(DeploymentService).listDeploymentHistory({ ...model, page }),
    (answer) => answer.entries,
  );
  output.result(entries, () =>
    table(
      ["WHEN", "WHO", "WHAT"],
      entries.map((entry, index) => [
        time(entry.at),
        entry.actor,
        describeEntry(
          entry,
          entries.slice(index + 1).find((older) => older.entry.case === "specChange"),
        ),
      ]),
    ),
  );
}

/** One line; `before` is the change of the deployment before this entry. */
export function describeEntry({ entry }: DeploymentHistoryEntry, before: DeploymentHistoryEntry | undefined): string {
  switch (entry.case) {
    case "specChange": {
      const old = before?.entry.case === "specChange" ? before.entry.value.spec : undefined;
      return describeChange(old, entry.value.spec);
    }
    case "rolloutStep": {
      const { alias, version, phase, reason } = entry.value;
      const why = reason === "" ? "" : `: ${reason}`;
      return phase === RolloutPhase.SERVING ? `${alias} is served by v${version}${why}` : `v${version} failed${why}`;
    }
    default:
      return "something that this version of aimass has no words for";
  }
}

function describeChange(before: DeploymentSpec | undefined, after: DeploymentSpec | undefined): string {
  if (after === undefined) return "ended";
  const old = fieldsOf(before);
  const now = fieldsOf(after);
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])].filter((name) => old[name] !== now[name]);
  const words = names.map((name) =>
    before === undefined ? `${name} ${now[name]}` : `${name} ${old[name]} → ${now[name]}`,
  );
  return `${before === undefined ? "deployed" : "changed"}${words.length === 0 ? "" : `: ${words.join(", ")}`}`;
}

/** The fields of a spec but its name, as text. */
function fieldsOf(spec: DeploymentSpec | undefined): Record<string, string> {
  if (spec === undefined) return {};
  const fields = toJson(DeploymentSpecSchema, spec, { alwaysEmitImplicit: true }) as Record<string, unknown>;
  const { project: _project, model: _model, ...others } = fields;
  return Object.fromEntries(
    Object.entries(others).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join("+") || "none" : String(value),
    ]),
  );
}
