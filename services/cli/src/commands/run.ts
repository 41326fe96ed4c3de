import { buffer } from "node:stream/consumers";
import { AliasService, ModelService, VersionState } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { graphFileName, type ListedValues, listedValues, readModel } from "@aimass/onnx";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import type { LocalModel } from "../bundles/local-bundle.ts";
import { nameOfPath } from "../bundles/name-of-path.ts";
import { openModel } from "../bundles/open-model.ts";
import { pushOpened } from "../client/bundle.ts";
import type { Connection } from "../client/connection.ts";
import { elementText } from "../client/exact-json.ts";
import { callWithExample, type ExampleCall, hasHalves } from "../client/example-call.ts";
import { pasteableCalls } from "../client/pasteable-calls.ts";
import type { RestTensor } from "../client/rest-inference.ts";
import { enumName, modelName, signature } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import { wholeNumber } from "../training/arguments.ts";
import { action, modelArgument } from "./context.ts";
import { currentDeployment, deployModel, type Wishes } from "./deploy.ts";

export function addRun(program: Command): void {
  program
    .command("run")
    .description("push an ONNX file, deploy it, call it once, and print how to call it yourself")
    .argument("<file>", "an .onnx file, whose external data come along, or a folder with one")
    .option("-f, --file <name>", "the graph, where the folder has several")
    .option("-n, --name <model>", "its name; the file's when left out, which must then be new or from an earlier run")
    .option("-r, --replicas <n>", "replicas that hold it; 1, or as many as there are already")
    .action(
      action<{ name?: string; file?: string; replicas?: string }>(
        async ({ connection, output, server }, options, [file]) => {
          const startedAt = performance.now();
          const { project, model } = modelArgument(options.name ?? nameOfPath(file as string));
          const full = modelName(project, model);
          const replicas =
            options.replicas === undefined ? {} : { replicas: wholeNumber("--replicas", options.replicas, 1) };
          const before = await servedBefore(connection, project, model);
          if (before?.madeBy === "others" && options.name === undefined)
            throw new AimassError("FAILED_PRECONDITION", `There is a model ${full} already, which is not from a run.`, {
              remedy: `Take another name with --name, or say --name ${full} to make this its next version and the one that serves.`,
            });
          if ((await currentDeployment(connection, project, model))?.spec?.paused)
            throw new AimassError("FAILED_PRECONDITION", `${full} is paused: a new version would not serve.`, {
              remedy: `Let it go on first: aimass deployments resume ${full}`,
            });
          const found = await openModel(file as string, options.file);
          const version = await pushOpened({ connection, output, project, model, path: file as string, found });
          output.say(`pushed    ${full} v${version.version} ${signature(version.signature)}`);
          if (version.state !== VersionState.READY) {
            throw new AimassError(
              "FAILED_PRECONDITION",
              `${full} v${version.version} is ${enumName(VersionState, version.state)}.`,
              { remedy: `The project wants a review: aimass models review ${full}:${version.version} --request` },
            );
          }
          if (before?.madeBy === "others")
            await assertCompatible(connection, { project, model }, before, version.version);
          const wishes = { project, model, ...replicas };
          output.say(`deployed  ${await servePushed(connection, { wishes, version: version.version, output })}`);
          const { inputs: takes = [], outputs: gives = [] } = version.signature ?? {};
          const of = { inputs: takes, outputs: gives, listed: await listedOf(found) };
          const { inputs, answer, refusal } = await callWithExample(connection, { model: full, version: "" }, of);
          const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
          const calls = pasteableCalls({ server, model: full, inputs, halves: hasHalves(of) });
          const unanswered = refusal === undefined ? {} : { refusal };
          output.result(
            { model: full, version: version.version, answer, ...unanswered, seconds: Number(seconds), calls },
            () => [
              ...answerLines(answer, refusal),
              `From file to answer in ${seconds} s.`,
              "",
              "# A key for your programs (shown once):",
              "export AIMASS_API_KEY=$(aimass keys create --json | node -pe 'JSON.parse(fs.readFileSync(0)).secret')",
              "",
              "# curl",
              calls.curl,
              "",
              "# Python: pip install tritonclient[grpc]",
              ...calls.python.split("\n"),
              "",
              "// TypeScript",
              ...calls.typescript.split("\n"),
            ],
          );
        },
      ),
    );
}

/** What the model answered, or that it serves and took no example: its inputs are then for the caller to fill in. */
function answerLines(answer: ExampleCall["answer"], refusal: string | undefined): string[] {
  if (answer === undefined)
    return [
      `It serves. No example was answered: ${refusal}`,
      "The calls below show the form; fill in values that it takes.",
    ];
  if ("predictions" in answer) return [`answered  ${JSON.stringify(answer.predictions).slice(0, 200)}`];
  return [`answered  ${answer.outputs.map((t) => `${t.name} = ${elementsText(t)}`).join(", ")}`];
}

const elementsText = ({ data, datatype }: RestTensor) =>
  `[${data
    .slice(0, 8)
    .map((value) => elementText(value, datatype))
    .join(", ")}]`;

/** Values that the graph that serves lists for its inputs; none where it cannot be read here, for it serves all the same. */
async function listedOf(found: LocalModel): Promise<ReadonlyMap<string, ListedValues>> {
  const source = found.versions.at(found.serves ?? -1)?.files.find(({ path }) => path === graphFileName)?.source;
  if (source === undefined) return new Map();
  try {
    const { graph } = readModel(await buffer(source.read(0)));
    return graph === undefined ? new Map() : listedValues(graph);
  } catch {
    return new Map();
  }
}

/** Points "default" at a version that was just pushed and waits until that version, and no earlier one, serves. Returns the summary sentence. */
export async function servePushed(
  connection: Connection,
  { wishes, version, output }: { wishes: Wishes; version: bigint; output?: Output },
): Promise<string> {
  const { project, model } = wishes;
  const expected = { alias: "default", version };
  await connection.client(AliasService).moveAlias({ project, model, ...expected, reason: runReason });
  return await deployModel(connection, wishes, { expected: [expected], ...(output && { output }) });
}

/** Why an alias was moved, in its history: by this a later run knows what is its own. */
const runReason = "aimass run";

/** What the alias "default" of a model points at. */
interface ServedBefore {
  readonly madeBy: "run" | "others";
  /** 0: at nothing, or at nothing any more. */
  readonly version: bigint;
}

/** What is there under a name; undefined when there is no such model. */
async function servedBefore(connection: Connection, project: string, model: string): Promise<ServedBefore | undefined> {
  try {
    const { moves } = await connection.client(AliasService).listAliasMoves({ project, model, alias: "default" });
    const last = moves[0];
    return { madeBy: last?.reason === runReason ? "run" : "others", version: last?.toVersion ?? 0n };
  } catch (error) {
    if (ConnectError.from(error).code === Code.NotFound) return undefined;
    throw error;
  }
}

/** Errors: FAILED_PRECONDITION when whoever calls the model now could not call the new version. */
async function assertCompatible(
  connection: Connection,
  at: { project: string; model: string },
  { version: before }: ServedBefore,
  version: bigint,
): Promise<void> {
  if (before === 0n) return;
  const sides = { left: String(before), right: String(version) };
  const { compatible, differences } = await connection.client(ModelService).diffVersions({ ...at, ...sides });
  if (compatible) return;
  const full = modelName(at.project, at.model);
  throw new AimassError(
    "FAILED_PRECONDITION",
    `v${version} is pushed and does not serve: a client of v${before} could not call it unchanged (${differences.join("; ")}).`,
    { remedy: `Move the alias yourself if that is meant: aimass models alias ${full} default ${version}` },
  );
}
