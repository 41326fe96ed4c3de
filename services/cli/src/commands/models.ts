import { join } from "node:path";
import { AliasService, ModelService, ReviewDecision, type Version, VersionState } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import { pullFiles, pushModel } from "../client/bundle.ts";
import { bytes, enumName, modelName, signature, time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { claimed, describeVersion, metrics, versionView } from "../output/version-view.ts";
import { addAliases } from "./aliases.ts";
import { action, modelArgument, pairs, versionArgument, versionNumber } from "./context.ts";
import { addModelRemoval } from "./model-removal.ts";
import { addModelTypes } from "./model-types.ts";
import { addModelUpdate } from "./model-update.ts";

export function addModels(program: Command): void {
  const models = program
    .command("models")
    .description(
      "the model library: push, list, show, update, diff, alias, rollback, pull, types, review, retire, delete",
    );
  addPush(models);
  addList(models);
  addShow(models);
  addDiff(models);
  addAliases(models);
  addModelUpdate(models);
  addModelTypes(models);
  addModelRemoval(models);
  addPull(models);
  addReview(models);
}

function addPush(models: Command): void {
  models
    .command("push")
    .description("upload an ONNX file, or a folder with one, as the next version of a model")
    .argument("<model>", '"model" or "project.model"; made when missing')
    .argument("<path>", "an .onnx file, whose external data come along, or a folder with one")
    .option("-d, --description <text>", "what it is and how to call it")
    .option("-l, --label <name=value...>", "labels")
    .option("-a, --alias <name>", "point this alias at the new version")
    .option("-f, --file <name>", "the graph, where the folder has several")
    .action(
      action<{ description?: string; label?: string[]; alias?: string; file?: string }>(
        async ({ connection, output }, options, [name, path]) => {
          const { project, model } = modelArgument(name as string);
          const version = await pushModel({
            connection,
            output,
            project,
            model,
            path: path as string,
            file: options.file,
            ...(options.description === undefined ? {} : { description: options.description }),
            labels: pairs(options.label),
          });
          if (options.alias !== undefined) {
            await connection.client(AliasService).moveAlias({
              project,
              model,
              alias: options.alias,
              version: version.version,
              reason: "models push --alias",
            });
          }
          const full = modelName(project, model);
          output.result(
            versionView(version),
            () =>
              `${full} v${version.version} is ${enumName(VersionState, version.state)}. ${signature(version.signature)}`,
          );
          if (version.state === VersionState.VALIDATED)
            output.hint(`Next: aimass models review ${full}:${version.version} --request`);
          else
            output.hint(
              `Next: aimass models alias ${full} default ${version.version} · aimass deploy ${full} · aimass predict ${full}`,
            );
        },
      ),
    );
}

function addList(models: Command): void {
  models
    .command("list")
    .description("models you may view")
    .option("-p, --project <name>", "only of this project", "")
    .action(
      action<{ project: string }>(async ({ connection, output }, options) => {
        const all = await allPages(
          (page) => connection.client(ModelService).listModels({ project: options.project, page }),
          (answer) => answer.models,
        );
        output.result(all, () =>
          all.length === 0
            ? "No models that you may view. Sign in with aimass login, or push one: aimass models push NAME FILE.onnx"
            : table(
                ["MODEL", "NEWEST", "ALIASES", "CREATED", "BY"],
                all.map((m) => [
                  modelName(m.project, m.name),
                  String(m.newestVersion),
                  m.aliases.map((a) => `${a.name}→${a.version}`).join(" "),
                  time(m.createdAt),
                  m.createdBy,
                ]),
              ),
        );
      }),
    );
}

function addShow(models: Command): void {
  models
    .command("show")
    .description("a model with its versions and the history of its aliases, or one version")
    .argument("<model>", '"model", "model:version" or "model@alias"')
    .action(
      action(async ({ connection, output }, _options, [name]) => {
        const { project, model, version } = versionArgument(name as string);
        if (version !== "") {
          const { version: found } = await connection.client(ModelService).getVersion({ project, model, version });
          output.result(versionView(found as Version), () => describeVersion(found as Version));
          return;
        }
        const [{ model: found }, versions, { moves }] = await Promise.all([
          connection.client(ModelService).getModel({ project, name: model }),
          allPages(
            (page) => connection.client(ModelService).listVersions({ project, model, page }),
            (answer) => answer.versions,
          ),
          connection.client(AliasService).listAliasMoves({ project, model }),
        ]);
        output.result({ model: found, versions: versions.map(versionView), moves }, () => [
          `${modelName(project, model)}${found?.description ? `: ${found.description}` : ""}`,
          "",
          ...table(
            ["VERSION", "STATE", "ALIASES", "SIGNATURE", "METRICS", "CREATED", "BY"],
            versions.map((v) => [
              String(v.version),
              enumName(VersionState, v.state),
              (found?.aliases ?? [])
                .filter((a) => a.version === v.version)
                .map((a) => a.name)
                .join(" "),
              signature(v.signature),
              Object.keys(v.metrics).length === 0 ? "" : `${metrics(v.metrics)}${claimed(v)}`,
              time(v.createdAt),
              v.createdBy,
            ]),
          ),
          "",
          ...table(
            ["ALIAS", "FROM", "TO", "WHEN", "BY", "WHY"],
            moves.map((m) => [
              m.alias,
              String(m.fromVersion || "-"),
              String(m.toVersion || "-"),
              time(m.movedAt),
              m.movedBy,
              m.reason,
            ]),
          ),
        ]);
      }),
    );
}

function addDiff(models: Command): void {
  models
    .command("diff")
    .description("what differs between two versions")
    .argument("<model>")
    .argument("<left>", "version or alias")
    .argument("<right>", "version or alias")
    .action(
      action(async ({ connection, output }, _options, [name, left, right]) => {
        const answer = await connection
          .client(ModelService)
          .diffVersions({ ...modelArgument(name as string), left: left as string, right: right as string });
        output.result({ differences: answer.differences, compatible: answer.compatible }, () => [
          ...(answer.differences.length === 0 ? ["No differences."] : answer.differences),
          answer.compatible
            ? `A client of ${left} can call ${right} unchanged.`
            : `A client of ${left} cannot call ${right} unchanged.`,
        ]);
      }),
    );
}

function addPull(models: Command): void {
  models
    .command("pull")
    .description("download the files of a version")
    .argument("<model>", '"model", "model:version" or "model@alias"')
    .argument("[folder]", "where to; MODEL-VERSION when left out")
    .option("--force", "replace files that are there with other content")
    .action(
      action<{ force?: boolean }>(async ({ connection, output }, { force = false }, [name, named]) => {
        const found = await connection.client(ModelService).getVersion(versionArgument(name as string));
        const { version, model, files } = found.version as Version;
        const folder = named ?? `${model}-${version}`;
        await pullFiles(connection, output, files, { folder, force });
        output.result({ version, folder, files }, () =>
          files.map((f) => `${join(folder, f.path)}  ${bytes(f.sizeBytes)}`),
        );
      }),
    );
}

function addReview(models: Command): void {
  models
    .command("review")
    .description("ask for review of a version, approve or refuse it")
    .argument("<version>", '"model:version"')
    .option("--request", "ask for review")
    .option("--approve", "approve it")
    .option("--refuse", "refuse it")
    .option("-m, --message <text>", "why", "")
    .action(
      action<{ request?: boolean; approve?: boolean; refuse?: boolean; message: string }>(
        async ({ connection, output }, options, [name]) => {
          if ([options.request, options.approve, options.refuse].filter(Boolean).length !== 1)
            throw new AimassError("INVALID_ARGUMENT", "Say one of --request, --approve, --refuse.");
          const { version: text, ...model } = versionArgument(name as string);
          if (text === "")
            throw new AimassError("INVALID_ARGUMENT", "No version was named.", {
              remedy: `Write it like ${name}:1.`,
            });
          const at = { ...model, version: versionNumber(text), comment: options.message };
          const client = connection.client(ModelService);
          const decision = options.approve ? ReviewDecision.APPROVE : ReviewDecision.REFUSE;
          const { version } = options.request
            ? await client.requestReview(at)
            : await client.decideReview({ ...at, decision });
          output.result(
            versionView(version as Version),
            () => `${name} is ${enumName(VersionState, (version as Version).state)}.`,
          );
        },
      ),
    );
}
