import { VersionState } from "@aimass/api/registry";
import { AimassError, Semaphore } from "@aimass/core";
import type { Command } from "commander";
import type { LocalModel } from "../bundles/local-bundle.ts";
import { modelsAt } from "../bundles/models-at.ts";
import { nameOfPath } from "../bundles/name-of-path.ts";
import { openModel } from "../bundles/open-model.ts";
import { type ImportedModel, type ImportWishes, importModel } from "../importing/import-model.ts";
import { enumName, modelName } from "../output/format.ts";
import { describeFailure, table } from "../output/output.ts";
import { action, type CommandContext, modelArgument, pairs } from "./context.ts";

interface ImportOptions {
  readonly project: string;
  readonly name?: string;
  readonly file?: string;
  readonly alias: string | false;
  readonly description?: string;
  readonly label?: string[];
  readonly dryRun?: boolean;
}

/** So many models are brought side by side. */
const atOnce = 2;

export function addImport(program: Command): void {
  program
    .command("import")
    .description(
      "bring many models at once: files, folders of Triton, Hugging Face, MLflow or none, repositories of them, KServe's YAML",
    )
    .argument("<path...>")
    .option("-p, --project <name>", "where to", "default")
    .option(
      "-n, --name <model>",
      "its name, where there is one model; else each is named by its configuration, folder or file",
    )
    .option("-f, --file <name>", "the graph, where a folder has several")
    .option("-a, --alias <name>", "points at the version of each model that serves", "default")
    .option("--no-alias", "point nothing at them")
    .option("-d, --description <text>", "what they are")
    .option("-l, --label <name=value...>", "labels")
    .option("--dry-run", "only say what would be brought")
    .action(
      action<ImportOptions>(async (context, options, paths) => {
        const { output, server } = context;
        const sources = await sourcesOf(paths, options);
        const places = new Semaphore(atOnce);
        const rows = await Promise.all(
          sources.map((source) =>
            places.run(() =>
              bring(context, source, options).catch((error: unknown): Row => {
                const { message } = describeFailure(error, server);
                const { path, model } = source;
                return { path, model, outcome: "refused", why: message };
              }),
            ),
          ),
        );
        const refused = rows.filter(({ outcome }) => outcome === "refused");
        output.result(rows, () => [
          ...table(
            ["MODEL", "RESULT", "VERSIONS", "FROM", "WHAT"],
            rows.map((row) => [row.model, row.outcome, versionsLine(row), row.path, row.why ?? row.told ?? ""]),
          ),
          ...rows.flatMap(({ model, left = [] }) => left.map((line) => `${model}: left out: ${line}`)),
          summary(rows),
        ]);
        if (refused.length > 0) process.exitCode = 1;
        else if (options.dryRun !== true) output.hint("Next: aimass deploy MODEL · aimass models list");
      }),
    );
}

/** A model to be brought. */
interface Source {
  readonly path: string;
  /** Undefined while it is to be found out. */
  readonly model: string;
  readonly opened: LocalModel | AimassError;
}

/** What became of one, as the report shows it. */
interface Row {
  readonly path: string;
  readonly model: string;
  readonly outcome: "brought" | "unchanged" | "would be brought" | "refused";
  readonly why?: string;
  readonly told?: string;
  readonly left?: readonly string[];
  readonly versions?: ImportedModel["versions"];
  readonly alias?: string;
}

/** Errors: INVALID_ARGUMENT when one name is for several. */
async function sourcesOf(paths: readonly string[], { name, file }: ImportOptions): Promise<Source[]> {
  const all: string[] = [];
  for (const path of paths) all.push(...(file === undefined ? await modelsAt(path).catch(() => [path]) : [path]));
  if (name !== undefined && all.length !== 1)
    throw new AimassError("INVALID_ARGUMENT", `--name is for one model, and there are ${all.length}.`, {
      remedy: "Leave --name out, or name one path.",
    });
  const sources: Source[] = [];
  for (const path of new Set(all)) {
    const opened = await openModel(path, file).catch((error: unknown) => AimassError.from(error));
    const own = name ?? (opened instanceof AimassError ? undefined : opened.name);
    sources.push({
      path,
      model: own === undefined ? nameOfPath(path) : name === undefined ? nameOfPath(own) : own,
      opened,
    });
  }
  return sources.map((source) => {
    const first = sources.find(({ model }) => model === source.model);
    if (first === source || first === undefined || source.opened instanceof AimassError) return source;
    const opened = new AimassError("ALREADY_EXISTS", `${first.path} has the name ${source.model}, too.`, {
      remedy: "Import it by itself with --name.",
    });
    return { ...source, opened };
  });
}

async function bring({ connection, output }: CommandContext, source: Source, options: ImportOptions): Promise<Row> {
  const { path, opened } = source;
  if (opened instanceof AimassError) throw opened;
  const named = modelArgument(source.model.includes(".") ? source.model : `${options.project}.${source.model}`);
  const wishes: ImportWishes = {
    ...named,
    alias: options.alias === false ? undefined : options.alias,
    description: options.description,
    labels: pairs(options.label),
    dryRun: options.dryRun ?? false,
  };
  const { versions, aliased } = await importModel(connection, output, { model: opened, wishes });
  const outcome = versions.find((one) => one.outcome !== "unchanged")?.outcome ?? "unchanged";
  const { told, left } = opened;
  const pointed = aliased === undefined ? {} : { alias: `${options.alias}→${aliased}` };
  return { path, model: modelName(named.project, named.model), outcome, told, left, versions, ...pointed };
}

function versionsLine({ versions = [], alias }: Row): string {
  const numbers = versions.map(({ version, state }) => {
    const waits =
      state === VersionState.READY || state === VersionState.UNSPECIFIED ? "" : ` ${enumName(VersionState, state)}`;
    return version === undefined ? "new" : `v${version}${waits}`;
  });
  return [...numbers, ...(alias === undefined ? [] : [alias])].join(" ");
}

function summary(rows: readonly Row[]): string {
  const outcomes = ["brought", "unchanged", "would be brought", "refused"] as const;
  const counts = outcomes.map((outcome) => [rows.filter((row) => row.outcome === outcome).length, outcome] as const);
  return `${counts.flatMap(([count, outcome]) => (count === 0 ? [] : [`${count} ${outcome}`])).join(", ")}.`;
}
