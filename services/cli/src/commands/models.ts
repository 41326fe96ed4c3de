import { createHash } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, mkdirSync, renameSync, rmSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { finished } from "node:stream/promises";
import {
  AliasService,
  ArtifactService,
  type BundleFile,
  ModelService,
  ReviewDecision,
  type Version,
  VersionState,
} from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import type { Connection } from "../client/connection.ts";
import { uploadFile } from "../client/upload.ts";
import { bytes, enumName, modelName, signature, time } from "../output/format.ts";
import { type Output, table } from "../output/output.ts";
import { action, modelArgument, pairs, versionArgument, versionNumber } from "./context.ts";
import { waitUntilServed } from "./deploy.ts";

export function addModels(program: Command): void {
  const models = program
    .command("models")
    .description("the model library: push, list, show, diff, alias, rollback, pull, review");
  models
    .command("push")
    .description("upload an ONNX file (or a folder with model.onnx) as the next version of a model")
    .argument("<model>", '"model" or "project.model"; made when missing')
    .argument("<path>", "an .onnx file, or a folder with model.onnx and its external data")
    .option("-d, --description <text>", "what it is and how to call it")
    .option("-l, --label <name=value...>", "labels")
    .option("-a, --alias <name>", "point this alias at the new version")
    .action(
      action<{ description?: string; label?: string[]; alias?: string }>(
        async ({ connection, output }, options, [name, path]) => {
          const { project, model } = modelArgument(name as string);
          const version = await pushModel({
            connection,
            output,
            project,
            model,
            path: path as string,
            description: options.description ?? "",
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
            ? "No models yet. Push one: aimass models push NAME FILE.onnx"
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
              metrics(v.metrics),
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
  models
    .command("alias")
    .description("point an alias at a version, or remove it; waits until it is served when the model is deployed")
    .argument("<model>")
    .argument("<alias>")
    .argument("[version]", "the version; leave out with --delete")
    .option("-m, --message <text>", "why, for the history", "")
    .option("--expect <version>", "only when it points there now")
    .option("--delete", "remove the alias")
    .option("--no-wait", "do not wait for the traffic to move")
    .action(
      action<{ message: string; expect?: string; delete?: boolean; wait: boolean }>(
        async (context, options, [name, alias, version]) => {
          const { project, model } = modelArgument(name as string);
          const client = context.connection.client(AliasService);
          if (options.delete) {
            await client.deleteAlias({ project, model, alias: alias as string, reason: options.message });
            context.output.result({ deleted: alias }, () => `The alias ${alias} is gone; its history stays.`);
            return;
          }
          if (version === undefined)
            throw new AimassError("INVALID_ARGUMENT", "No version was named.", {
              remedy: "Name one, or use --delete.",
            });
          const expected = options.expect === undefined ? {} : { expectedVersion: BigInt(options.expect) };
          const { move } = await client.moveAlias({
            project,
            model,
            alias: alias as string,
            version: versionNumber(version),
            reason: options.message,
            ...expected,
          });
          const summary = options.wait ? await waitUntilServed(context.connection, project, model) : undefined;
          context.output.result(
            { move, summary },
            () =>
              `${name}@${alias}: v${move?.fromVersion || "-"} → v${move?.toVersion}.${summary === undefined ? "" : ` ${summary}`}`,
          );
          context.output.hint(`Undo: aimass models rollback ${name} ${alias}`);
        },
      ),
    );
  models
    .command("rollback")
    .description("move an alias back to where it pointed before")
    .argument("<model>")
    .argument("[alias]", "the alias", "default")
    .option("-m, --message <text>", "why, for the history", "")
    .option("--no-wait", "do not wait for the traffic to move")
    .action(
      action<{ message: string; wait: boolean }>(async (context, options, [name, alias]) => {
        const { project, model } = modelArgument(name as string);
        const startedAt = performance.now();
        const { move } = await context.connection
          .client(AliasService)
          .rollbackAlias({ project, model, alias: alias as string, reason: options.message });
        const summary = options.wait ? await waitUntilServed(context.connection, project, model) : undefined;
        const ms = Math.round(performance.now() - startedAt);
        context.output.result(
          { move, summary, ms },
          () =>
            `${name}@${alias}: back from v${move?.fromVersion} to v${move?.toVersion} in ${ms} ms.${summary === undefined ? "" : ` ${summary}`}`,
        );
      }),
    );
  models
    .command("pull")
    .description("download the files of a version")
    .argument("<model>", '"model", "model:version" or "model@alias"')
    .argument("[folder]", "where to", ".")
    .action(
      action(async ({ connection, output }, _options, [name, folder]) => {
        const { version } = await connection.client(ModelService).getVersion(versionArgument(name as string));
        for (const file of (version as Version).files)
          await pullFile(connection, output, file, resolve(folder as string));
        output.result({ version: version?.version, files: version?.files }, () =>
          (version as Version).files.map((f) => `${join(folder as string, f.path)}  ${bytes(f.sizeBytes)}`),
        );
      }),
    );
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

/** Uploads a bundle and makes it the next version of a model, which is made when missing. */
export async function pushModel(o: {
  connection: Connection;
  output: Output;
  project: string;
  model: string;
  path: string;
  description?: string;
  labels?: Record<string, string>;
}): Promise<Version> {
  const files: { path: string; sha256: Uint8Array<ArrayBuffer>; sizeBytes: bigint }[] = [];
  for (const file of await bundleFiles(o.path)) {
    const bar = o.output.progress(`uploading ${file.path}`);
    const uploaded = await uploadFile(o.connection, o.project, file.source, (sent, total) =>
      bar(total === 0 ? 1 : sent / total, bytes(sent)),
    );
    files.push({ path: file.path, sha256: uploaded.sha256 as Uint8Array<ArrayBuffer>, sizeBytes: uploaded.sizeBytes });
  }
  const client = o.connection.client(ModelService);
  await client.createModel({ project: o.project, name: o.model, allowExisting: true });
  const { version } = await client.createVersion(
    { project: o.project, model: o.model, files, description: o.description ?? "", labels: o.labels ?? {} },
    { timeoutMs: 300_000 },
  );
  return version as Version;
}

/** The files of a bundle: one .onnx file, or a folder with model.onnx. Errors: NOT_FOUND, INVALID_ARGUMENT. */
async function bundleFiles(path: string): Promise<{ path: string; source: string }[]> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new AimassError("NOT_FOUND", `${path} cannot be read (${error.code}).`, { remedy: "Check the path." });
  });
  if (info.isFile()) return [{ path: "model.onnx", source: path }];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const bundle = files.map((source) => ({ path: relative(path, source).split(sep).join("/"), source }));
  if (!bundle.some((file) => file.path === "model.onnx")) {
    throw new AimassError("INVALID_ARGUMENT", `${path} has no model.onnx.`, {
      remedy: "Name the graph model.onnx, or push the .onnx file itself.",
    });
  }
  return bundle;
}

async function pullFile(connection: Connection, output: Output, file: BundleFile, folder: string): Promise<void> {
  const target = resolve(folder, file.path);
  if (!target.startsWith(folder + sep))
    throw new AimassError("DATA_LOSS", `The bundle has a path that leaves the folder: ${file.path}.`);
  mkdirSync(dirname(target), { recursive: true });
  const temporary = `${target}.part`;
  const hash = createHash("sha256");
  const stream = createWriteStream(temporary);
  const bar = output.progress(`downloading ${file.path}`);
  let received = 0;
  try {
    for await (const { chunk } of connection
      .client(ArtifactService)
      .readArtifact({ sha256: file.sha256 }, { timeoutMs: 0 })) {
      hash.update(chunk);
      received += chunk.length;
      if (!stream.write(chunk)) await once(stream, "drain");
      bar(received / Number(file.sizeBytes), bytes(received));
    }
    stream.end();
    await finished(stream);
    if (!hash.digest().equals(file.sha256))
      throw new AimassError("DATA_LOSS", `${file.path} arrived with another digest.`, { remedy: "Pull it again." });
    renameSync(temporary, target);
  } finally {
    stream.destroy();
    rmSync(temporary, { force: true });
  }
}

/** All items of a paged list. */
export async function allPages<A extends { page?: { nextToken: string } | undefined }, T>(
  list: (page: { size: number; token: string }) => Promise<A>,
  items: (answer: A) => readonly T[],
): Promise<T[]> {
  const all: T[] = [];
  let token = "";
  do {
    const answer = await list({ size: 1000, token });
    all.push(...items(answer));
    token = answer.page?.nextToken ?? "";
  } while (token !== "");
  return all;
}

function describeVersion(v: Version): string[] {
  const lineage = v.lineage;
  return [
    `${modelName(v.project, v.model)} v${v.version}: ${enumName(VersionState, v.state)}${v.stateReason ? ` (${v.stateReason})` : ""}`,
    ...(v.description === "" ? [] : [v.description]),
    `signature  ${signature(v.signature)}`,
    `batches    ${v.signature?.batchable ? `up to ${v.serving?.maxBatchSize || 32}` : "no"}`,
    `opsets     ${Object.entries(v.signature?.opsets ?? {})
      .map(([domain, n]) => `${domain || "ai.onnx"} ${n}`)
      .join(", ")}`,
    `files      ${v.files.map((f) => `${f.path} (${bytes(f.sizeBytes)})`).join(", ")}`,
    `created    ${time(v.createdAt)} by ${v.createdBy}`,
    ...(Object.keys(v.metrics).length === 0 ? [] : [`metrics    ${metrics(v.metrics)}`]),
    ...(lineage === undefined
      ? []
      : [
          `lineage    ${lineage.recipe} on ${lineage.dataset} v${lineage.datasetVersion}, job ${lineage.jobId}`,
          `           split ${lineage.split}; parameters ${lineage.parametersJson}`,
        ]),
  ];
}

function versionView(v: Version): object {
  return { ...v, state: enumName(VersionState, v.state) };
}

function metrics(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(", ");
}
