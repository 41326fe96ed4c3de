import { AimassError, codeOfHttpStatus } from "@aimass/core";
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
  return (await rest(connection, predictPath({ model, version }), init)) as { predictions: unknown[] };
}

/** What `/predict` says of some rows. */
export interface RowsAnswer {
  /** One for each row. */
  readonly predictions: readonly unknown[];
  /** Names of the classes of an output's last axis, by output. */
  readonly classes?: Readonly<Record<string, readonly string[]>>;
  /** The version that answered. */
  readonly version: string;
}

/** `/predict` with a body that is JSON already. `exact`: whole numbers beyond ±2^53 are bigints. Errors: with `retryAfterMs` where the server says when. */
export async function predictRows(
  connection: Connection,
  at: ModelAddress,
  body: string,
  { exact, signal }: { readonly exact: boolean; readonly signal: AbortSignal },
): Promise<RowsAnswer> {
  const headers = { "content-type": "application/json" };
  const { text, version } = await posted(connection, predictPath(at), { method: "POST", headers, body, signal });
  const answer = (exact ? parseExact(text) : JSON.parse(text)) as Omit<RowsAnswer, "version">;
  return { ...answer, version };
}

function predictPath({ model, version }: ModelAddress): string {
  const at = `/models/${encodeURIComponent(model)}${version === "" ? "" : `/versions/${encodeURIComponent(version)}`}`;
  return `${at}/predict`;
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
  const { text } = await posted(connection, path, post === undefined ? {} : { method: "POST", ...post });
  return parseExact(text);
}

async function posted(
  connection: Connection,
  path: string,
  init: RequestInit,
): Promise<{ readonly text: string; readonly version: string }> {
  const response = await connection.fetch(path, init);
  const text = await response.text().catch((error: unknown) => {
    init.signal?.throwIfAborted();
    throw new AimassError("UNAVAILABLE", `The answer of ${connection.server} broke off.`, { cause: error });
  });
  if (response.ok) return { text, version: response.headers.get("aimass-version") ?? "" };
  const message = saidIn(text) ?? `The server answered ${response.status}.`;
  const seconds = Number(response.headers.get("retry-after") ?? "");
  throw new AimassError(codeOfHttpStatus(response.status), message, {
    reason: refusedByServer,
    ...(seconds > 0 && { retryAfterMs: seconds * 1000 }),
  });
}

/** The sentence of an error's body; undefined for one that is none, as of a proxy's page. */
function saidIn(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === "string" && error !== "" ? error : undefined;
  } catch {
    return /^[^<\n]{1,300}$/.test(text.trim()) ? text.trim() : undefined;
  }
}
