import { AliasService, ModelService, VersionState } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { nameOfPath } from "../bundles/name-of-path.ts";
import { pushModel } from "../client/bundle.ts";
import type { Connection } from "../client/connection.ts";
import { exampleInputs } from "../client/predict-inputs.ts";
import { infer, modelMetadata, type RestTensor } from "../client/rest-inference.ts";
import { enumName, modelName, signature } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import { wholeNumber } from "../training/arguments.ts";
import { action, modelArgument } from "./context.ts";
import { deployModel, type Wishes } from "./deploy.ts";

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
          const version = await pushModel({
            connection,
            output,
            project,
            model,
            path: file as string,
            file: options.file,
          });
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
          const at = { model: full, version: "" };
          const inputs = exampleInputs(await modelMetadata(connection, at));
          const answer = await infer(connection, at, inputs);
          const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
          const calls = pasteableCalls({ server, model: full, inputs });
          output.result({ model: full, version: version.version, answer, seconds: Number(seconds), calls }, () => [
            `answered  ${answer.outputs.map((t) => `${t.name} = ${JSON.stringify(t.data.slice(0, 8))}`).join(", ")}`,
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
          ]);
        },
      ),
    );
}

/** Points "default" at a version that was just pushed and waits until that version, and no earlier one, serves. Returns the summary sentence. */
export async function servePushed(
  connection: Connection,
  { wishes, version, output }: { wishes: Wishes; version: bigint; output?: Output },
): Promise<string> {
  const { project, model } = wishes;
  const expected = { alias: "default", version };
  await connection.client(AliasService).moveAlias({ project, model, ...expected, reason: runReason });
  return await deployModel(connection, wishes, { expected, ...(output && { output }) });
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

/** Calls of a model, ready to paste. */
export function pasteableCalls(o: { server: string; model: string; inputs: readonly RestTensor[] }): {
  curl: string;
  python: string;
  typescript: string;
} {
  const inputs = o.inputs.map((t) => ({ ...t, data: t.data.length > 16 ? undefined : t.data }));
  const body = JSON.stringify({ inputs: inputs.map((t) => ({ ...t, data: t.data ?? "FILL IN" })) });
  const url = `${o.server}/v2/models/${o.model}/infer`;
  const address = new URL(o.server).host;
  const python = [
    "import os, numpy as np, tritonclient.grpc as triton",
    `client = triton.InferenceServerClient("${address}")`,
    "inputs = []",
    ...o.inputs.flatMap((t) => [
      `value = ${numpyValue(t)}`,
      `inputs.append(triton.InferInput("${t.name}", value.shape, "${t.datatype}")); inputs[-1].set_data_from_numpy(value)`,
    ]),
    `answer = client.infer("${o.model}", inputs, headers={"authorization": "Bearer " + os.environ["AIMASS_API_KEY"]})`,
    "print(answer.get_response())",
  ].join("\n");
  const typescript = [
    `const response = await fetch("${url}", {`,
    '  method: "POST",',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text is a program for the reader to paste
    '  headers: { "content-type": "application/json", authorization: `Bearer ${process.env.AIMASS_API_KEY}` },',
    `  body: JSON.stringify(${body}),`,
    "});",
    "console.log(await response.json());",
  ].join("\n");
  return {
    curl: `curl -s ${url} -H "authorization: Bearer $AIMASS_API_KEY" -H 'content-type: application/json' -d '${body}'`,
    python,
    typescript,
  };
}

const numpyTypes: Readonly<Record<string, string>> = {
  BOOL: "bool_",
  FP16: "float16",
  FP32: "float32",
  FP64: "float64",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
};

function numpyValue(t: RestTensor): string {
  const shape = `(${t.shape.join(", ")}${t.shape.length === 1 ? "," : ""})`;
  if (t.datatype === "BYTES") return `np.full(${shape}, ${JSON.stringify(t.data[0] ?? "")}.encode(), dtype=np.object_)`;
  return `np.ones(${shape}, dtype=np.${numpyTypes[t.datatype] ?? "float32"})`;
}
