import { basename, extname } from "node:path";
import { AliasService, VersionState } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { pushModel } from "../client/bundle.ts";
import { exampleInputs } from "../client/predict-inputs.ts";
import { infer, modelMetadata, type RestTensor } from "../client/rest-inference.ts";
import { enumName, modelName, signature } from "../output/format.ts";
import { action, modelArgument } from "./context.ts";
import { deployModel } from "./deploy.ts";

export function addRun(program: Command): void {
  program
    .command("run")
    .description("push an ONNX file, deploy it, call it once, and print how to call it yourself")
    .argument("<file>", "an .onnx file, or a folder with model.onnx")
    .option("-n, --name <model>", "its name; the file's when left out")
    .option("-r, --replicas <n>", "replicas that hold it", "1")
    .action(
      action<{ name?: string; replicas: string }>(async ({ connection, output, server }, options, [file]) => {
        const startedAt = performance.now();
        const { project, model } = modelArgument(
          options.name ?? basename(file as string, extname(file as string)).replace(/[^a-zA-Z0-9_-]+/g, "-"),
        );
        const full = modelName(project, model);
        const version = await pushModel({ connection, output, project, model, path: file as string });
        output.say(`pushed    ${full} v${version.version} ${signature(version.signature)}`);
        if (version.state !== VersionState.READY) {
          throw new AimassError(
            "FAILED_PRECONDITION",
            `${full} v${version.version} is ${enumName(VersionState, version.state)}.`,
            { remedy: `The project wants a review: aimass models review ${full}:${version.version} --request` },
          );
        }
        await connection
          .client(AliasService)
          .moveAlias({ project, model, alias: "default", version: version.version, reason: "aimass run" });
        const replicas = Number(options.replicas);
        if (!Number.isInteger(replicas) || replicas < 1)
          throw new AimassError("INVALID_ARGUMENT", `--replicas is "${options.replicas}".`, {
            remedy: "Give a whole number from 1.",
          });
        output.say(`deployed  ${await deployModel(connection, { project, model, replicas }, output)}`);
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
      }),
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
