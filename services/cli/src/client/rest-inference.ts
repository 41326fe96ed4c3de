import { AimassError, type Code } from "@aimass/core";
import { type Connection, refusedByServer } from "./connection.ts";
import { parseExact, stringifyExact } from "./exact-json.ts";

/** A tensor as REST v2 writes it. */
export interface RestTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

/** A tensor whose bytes follow the JSON (the binary tensor data extension). */
export interface BinaryTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export type InputTensor = RestTensor | BinaryTensor;

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

/** An output that is asked for. */
export interface OutputWish {
  readonly name: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** A model by name, and a version or alias of it; empty: its default. */
export interface ModelAddress {
  readonly model: string;
  readonly version: string;
}

/** Reads what a model takes. Errors: as the server says. */
export async function modelMetadata(connection: Connection, at: ModelAddress): Promise<RestMetadata> {
  return (await rest(connection, modelPath(at))) as RestMetadata;
}

/** One inference by REST v2. `outputs`: those wanted, with their parameters; all when left out. */
export async function infer(
  connection: Connection,
  at: ModelAddress,
  inputs: readonly InputTensor[],
  outputs?: readonly OutputWish[],
): Promise<RestAnswer> {
  const header = { inputs: inputs.map(inHeader), ...(outputs === undefined ? {} : { outputs }) };
  return (await rest(connection, `${modelPath(at)}/infer`, framed(stringifyExact(header), inputs))) as RestAnswer;
}

/** `POST /models/NAME/predict`, or of a version or alias. */
export async function predict(
  connection: Connection,
  { model, version }: ModelAddress,
  body: object,
): Promise<{ predictions: unknown[] }> {
  const init = { headers: { "content-type": "application/json" }, body: stringifyExact(body) };
  const at = `/models/${encodeURIComponent(model)}${version === "" ? "" : `/versions/${encodeURIComponent(version)}`}`;
  return (await rest(connection, `${at}/predict`, init)) as { predictions: unknown[] };
}

function inHeader(tensor: InputTensor): object {
  if (!("bytes" in tensor)) return tensor;
  const { name, datatype, shape, bytes } = tensor;
  return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
}

function framed(header: string, inputs: readonly InputTensor[]): RequestInit {
  const tails = inputs.flatMap((tensor) => ("bytes" in tensor ? [tensor.bytes] : []));
  if (tails.length === 0) return { headers: { "content-type": "application/json" }, body: header };
  const headers = {
    "content-type": "application/octet-stream",
    "inference-header-content-length": String(Buffer.byteLength(header)),
  };
  return { headers, body: Buffer.concat([Buffer.from(header), ...tails]) };
}

function modelPath({ model, version }: ModelAddress): string {
  return `/v2/models/${encodeURIComponent(model)}${version === "" ? "" : `/versions/${encodeURIComponent(version)}`}`;
}

async function rest(connection: Connection, path: string, post?: RequestInit): Promise<unknown> {
  const response = await connection.fetch(path, post === undefined ? {} : { method: "POST", ...post });
  const text = await response.text();
  if (response.ok) return parseExact(text);
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
