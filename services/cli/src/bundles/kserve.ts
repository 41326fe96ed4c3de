import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { AimassError } from "@aimass/core";
import { parseAllDocuments } from "yaml";

/** What an InferenceService names: a model on this machine. */
export interface InferenceService {
  readonly name: string;
  /** The folder or file of its storage. */
  readonly storage: string;
  /** What else it says, which means nothing here. */
  readonly left: readonly string[];
}

/** Formats whose storage may hold an ONNX model. */
const formats = ["onnx", "triton", "mlflow", "huggingface"];
const understood = ["model", "storageUri", "modelFormat", "protocolVersion", "runtime", "runtimeVersion", "name"];

export const isYaml = (path: string): boolean => /\.ya?ml$/i.test(path);

/** Reads a file with KServe's InferenceService, alone or among other documents. Errors: INVALID_ARGUMENT. */
export async function readInferenceService(path: string): Promise<InferenceService> {
  const documents = parseAllDocuments(await readFile(path, "utf8"), { schema: "core" });
  const problem = "empty" in documents ? undefined : documents.find(({ errors }) => errors.length > 0)?.errors[0];
  if (problem !== undefined) throw wrong(path, `cannot be read: ${problem.message.split("\n", 1)[0]}`);
  const all = [...documents].map((document) => document.toJS({ maxAliasCount: 100 }) as Fields | null);
  const services = all.filter((one) => one?.kind === "InferenceService") as Fields[];
  if (services.length !== 1) throw wrong(path, `has ${services.length} documents of the kind InferenceService`);
  const [service] = services as [Fields];
  const predictor = fieldsOf(fieldsOf(service.spec).predictor);
  const framework = formats.find((format) => predictor[format] !== undefined);
  const model = fieldsOf(predictor.model ?? predictor[framework ?? ""]);
  const format = framework ?? String(fieldsOf(model.modelFormat).name ?? Object.keys(predictor)[0] ?? "none");
  if (!formats.includes(format))
    throw wrong(path, `names a model of the format ${format}`, "Only ONNX models are served: export it as ONNX.");
  return {
    name: String(fieldsOf(service.metadata).name ?? ""),
    storage: storageOf(path, model.storageUri),
    left: leftOf(fieldsOf(service.spec), predictor, model),
  };
}

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {});

function leftOf(spec: Fields, predictor: Fields, model: Fields): string[] {
  const others = (fields: Fields, prefix: string, known: readonly string[]) =>
    Object.keys(fields).flatMap((name) => (known.includes(name) ? [] : [`${prefix}${name} of the InferenceService`]));
  return [
    ...others(spec, "", ["predictor"]),
    ...others(predictor, "predictor.", [...understood, ...formats]),
    ...others(model, "predictor.model.", understood),
  ];
}

/** A path on this machine. Errors: INVALID_ARGUMENT. */
function storageOf(path: string, uri: unknown): string {
  if (typeof uri !== "string" || uri === "") throw wrong(path, "names no storageUri");
  if (/^file:\/\//i.test(uri)) return fileURLToPath(uri.replace(/^file:\/\/(?!\/)/i, "file:///"));
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(uri)) return resolve(dirname(path), uri);
  const copy = uri.startsWith("pvc://") ? "Copy what the claim holds to this machine" : "Download it";
  throw wrong(
    path,
    `has its model at ${uri}, which is not on this machine`,
    `${copy}, and push that folder, or name it as file:///path.`,
  );
}

function wrong(
  path: string,
  what: string,
  remedy = "Name a file with one InferenceService, whose storageUri is a path here.",
): AimassError {
  return new AimassError("INVALID_ARGUMENT", `${path} ${what}.`, { remedy });
}
