import { AimassError, type Code } from "@aimass/core";
import type { Command } from "commander";
import { type Connection, refusedByServer } from "../client/connection.ts";
import { readTextFile } from "../client/text-file.ts";
import { modelName } from "../output/format.ts";
import { action, versionArgument } from "./context.ts";

/** A tensor as REST v2 writes it. */
export interface RestTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

/** What a model takes and gives, as REST v2 tells it. */
export interface RestMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly inputs: readonly { readonly name: string; readonly datatype: string; readonly shape: readonly number[] }[];
  readonly outputs: readonly { readonly name: string; readonly datatype: string; readonly shape: readonly number[] }[];
}

/** The answer of REST v2. */
export interface RestAnswer {
  readonly model_name: string;
  readonly model_version: string;
  readonly outputs: readonly RestTensor[];
}

export function addPredict(program: Command): void {
  program
    .command("predict")
    .description("call a model once")
    .argument("<model>", '"model", "model:version" or "model@alias"')
    .option(
      "-i, --input <json>",
      "inputs by name: '{\"x\": [[1, 2, 3]]}', or @file.json; an example is made when left out",
    )
    .option("-t, --text <text>", "for a model that takes one string")
    .action(
      action<{ input?: string; text?: string }>(async ({ connection, output }, options, [name]) => {
        const { project, model, version } = versionArgument(name as string);
        const at = { model: modelName(project, model), version };
        const metadata = await modelMetadata(connection, at);
        const inputs =
          options.input === undefined ? exampleInputs(metadata, options.text) : readInputs(metadata, options.input);
        const startedAt = performance.now();
        const answer = await infer(connection, at, inputs);
        const ms = performance.now() - startedAt;
        output.result({ ...answer, ms }, () => [
          ...(options.input === undefined && options.text === undefined
            ? inputs.map((t) => `${t.name} = ${shorten(t.data)}  (an example; give yours with --input)`)
            : []),
          ...answer.outputs.map((t) => `${t.name}: ${t.datatype}[${t.shape.join(",")}] = ${shorten(t.data)}`),
          `served by ${answer.model_name} v${answer.model_version} in ${ms.toFixed(1)} ms`,
        ]);
      }),
    );
}

/** Reads what a model takes. Errors: as the server says. */
export async function modelMetadata(
  connection: Connection,
  at: { model: string; version: string },
): Promise<RestMetadata> {
  return (await rest(connection, modelPath(at))) as RestMetadata;
}

/** One inference by REST v2. */
export async function infer(
  connection: Connection,
  at: { model: string; version: string },
  inputs: readonly RestTensor[],
): Promise<RestAnswer> {
  return (await rest(connection, `${modelPath(at)}/infer`, { inputs })) as RestAnswer;
}

/** Inputs that fit the metadata: dynamic axes are 1, numbers 0.5 or 1, strings the given text. */
export function exampleInputs(metadata: RestMetadata, text = "How are you?"): RestTensor[] {
  return metadata.inputs.map(({ name, datatype, shape }) => {
    const fixed = shape.map((axis) => (axis < 0 ? 1 : axis));
    const count = fixed.reduce((product, axis) => product * axis, 1);
    if (datatype === "FP16" || datatype === "BF16") {
      throw new AimassError("INVALID_ARGUMENT", `Input ${name} is ${datatype}, which JSON cannot carry.`, {
        remedy: "Call it by gRPC, or by REST with binary tensors.",
      });
    }
    const element = datatype === "BYTES" ? text : datatype === "BOOL" ? true : datatype.startsWith("FP") ? 0.5 : 1;
    return { name, datatype, shape: fixed, data: Array.from({ length: count }, () => element) };
  });
}

function readInputs(metadata: RestMetadata, argument: string): RestTensor[] {
  const text = argument.startsWith("@") ? readTextFile(argument.slice(1)) : argument;
  let values: Record<string, unknown>;
  try {
    values = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new AimassError("INVALID_ARGUMENT", `The input is not JSON: ${(error as Error).message}.`, {
      remedy: `Write it like '{"${metadata.inputs[0]?.name ?? "x"}": [[1, 2, 3]]}'.`,
    });
  }
  for (const name of Object.keys(values)) {
    if (!metadata.inputs.some((input) => input.name === name)) {
      throw new AimassError("INVALID_ARGUMENT", `The model has no input "${name}".`, {
        remedy: `Its inputs are ${metadata.inputs.map((i) => i.name).join(", ")}.`,
      });
    }
  }
  return metadata.inputs
    .filter((input) => values[input.name] !== undefined)
    .map(({ name, datatype }) => ({
      name,
      datatype,
      shape: shapeOf(values[name]),
      data: [values[name]].flat(Number.POSITIVE_INFINITY),
    }));
}

function shapeOf(value: unknown): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0] ?? 0)] : [];
}

function modelPath({ model, version }: { model: string; version: string }): string {
  return `/v2/models/${encodeURIComponent(model)}${version === "" ? "" : `/versions/${encodeURIComponent(version)}`}`;
}

async function rest(connection: Connection, path: string, body?: object): Promise<unknown> {
  const response = await connection.fetch(
    path,
    body === undefined
      ? {}
      : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
  );
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  let message = text || `The server answered ${response.status}.`;
  try {
    message = (JSON.parse(text) as { error: string }).error;
  } catch {}
  throw new AimassError(codeOfStatus(response.status), message, { reason: refusedByServer });
}

function codeOfStatus(status: number): Code {
  if (status === 401) return "UNAUTHENTICATED";
  if (status === 403) return "PERMISSION_DENIED";
  if (status === 404) return "NOT_FOUND";
  if (status === 429) return "RESOURCE_EXHAUSTED";
  if (status === 503) return "UNAVAILABLE";
  return status < 500 ? "INVALID_ARGUMENT" : "INTERNAL";
}

function shorten(data: readonly unknown[]): string {
  const shown = data
    .slice(0, 10)
    .map((v) => (typeof v === "number" ? String(Number(v.toPrecision(6))) : JSON.stringify(v)));
  return `[${shown.join(", ")}${data.length > 10 ? `, … ${data.length} in all` : ""}]`;
}
