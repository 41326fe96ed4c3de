/** What a REST path asks for. `model` and `version` are as the caller wrote them, "" when left out. */
export type RestTarget =
  | {
      readonly action: RestAction;
      readonly model: string;
      readonly version: string;
    }
  | {
      readonly action: "unsupported";
      readonly model: "";
      readonly version: "";
      readonly what: string;
      readonly remedy: string;
    };

export type RestAction =
  | "server"
  | "live"
  | "server-ready"
  | "model"
  | "ready"
  | "infer"
  | "predict"
  | "config"
  | "stats"
  | "index"
  | "alive"
  | "health"
  | "version"
  | "v1-models"
  | "v1-model";

const fixed: Readonly<Record<string, RestAction>> = {
  // KServe's V1 protocol asks here whether the server lives; pages are the console's.
  "": "alive",
  "v1/models": "v1-models",
  // What MLflow's scoring server answers, and its clients ask.
  invocations: "predict",
  ping: "health",
  health: "health",
  version: "version",
  v2: "server",
  "v2/health/live": "live",
  "v2/health/ready": "server-ready",
  "v2/models": "index",
  "v2/models/stats": "stats",
  "v2/repository/index": "index",
  predict: "predict",
};

const ofModel: Readonly<Record<string, RestAction>> = {
  "": "model",
  ready: "ready",
  infer: "infer",
  config: "config",
  stats: "stats",
};

/** Of `/models/NAME`; MLflow's clients put `/invocations` behind the address they are given. */
const predicting: Readonly<Record<string, RestAction>> = {
  predict: "predict",
  invocations: "predict",
  ping: "ready",
  health: "ready",
};

/** What stands behind a model's name in KServe's V1 protocol. */
const ofModelV1: Readonly<Record<string, RestAction>> = { "": "v1-model", ":predict": "predict" };

/** Every path that is offered, with NAME where a model's name goes. */
export const restPaths: readonly string[] = [
  ...Object.keys(fixed).map((path) => `/${path}`),
  ...Object.keys(ofModel).map((action) => `/v2/models/NAME${action === "" ? "" : `/${action}`}`),
  ...Object.keys(ofModelV1).map((verb) => `/v1/models/NAME${verb}`),
  ...Object.keys(predicting).map((action) => `/models/NAME/${action}`),
];

const sharedMemory = "Send tensors in the request: as binary data they are not copied needlessly.";

/** Paths of Triton that make no sense here, by their beginning. */
const unsupported: readonly (readonly [string, string, string])[] = [
  ["v2/repository/models/", "Loading and unloading models", "Deploy with `aimass deploy`, or the DeploymentService."],
  ["v2/systemsharedmemory", "Shared memory", sharedMemory],
  ["v2/cudasharedmemory", "Shared memory", sharedMemory],
  ["v2/trace/", "Changing trace settings", "Operators set AIMASS_TRACE_SAMPLE."],
  ["v2/logging", "Changing log settings", "Operators set LOG."],
];

/** Reads a path of the protocol's REST form, of Triton's extensions, or of `/predict`; undefined when it is none. */
export function parseRestPath(path: string): RestTarget | undefined {
  const parts = segmentsOf(path);
  if (parts === undefined) return undefined;
  const joined = parts.join("/");
  if (Object.hasOwn(fixed, joined)) return { action: fixed[joined] as RestAction, model: "", version: "" };
  for (const [start, what, remedy] of unsupported)
    if (`${joined}/`.startsWith(start)) return { action: "unsupported", model: "", version: "", what, remedy };
  if (parts[0] === "models") return modelTarget(parts.slice(1), predicting);
  if (parts[0] === "v1" && parts[1] === "models") return v1Target(parts.slice(2));
  if (parts[0] === "v2" && parts[1] === "models") return v2Target(parts.slice(2));
  return undefined;
}

function v2Target(parts: readonly string[]): RestTarget | undefined {
  const last = parts.at(-1);
  if (last === "generate" || last === "generate_stream")
    return {
      action: "unsupported",
      model: "",
      version: "",
      what: "The generate extension",
      remedy: "Use …/infer, or POST /models/NAME/predict.",
    };
  if (parts.at(-2) === "trace" && last === "setting")
    return {
      action: "unsupported",
      model: "",
      version: "",
      what: "Changing trace settings",
      remedy: "Operators set AIMASS_TRACE_SAMPLE.",
    };
  return modelTarget(parts, ofModel);
}

/** NAME[/versions/VERSION][:VERB] */
function v1Target(parts: readonly string[]): RestTarget | undefined {
  const last = parts.at(-1) ?? "";
  const colon = last.lastIndexOf(":");
  const verb = colon < 0 ? "" : last.slice(colon);
  if (verb === ":explain")
    return {
      action: "unsupported",
      model: "",
      version: "",
      what: "Explaining predictions",
      remedy: "Use …:predict.",
    };
  const action = Object.hasOwn(ofModelV1, verb) ? (ofModelV1[verb] as RestAction) : undefined;
  if (action === undefined) return undefined;
  return modelTarget([...parts.slice(0, -1), last.slice(0, last.length - verb.length)], { "": action });
}

/** NAME[/versions/VERSION][/ACTION] */
function modelTarget(parts: readonly string[], actions: Readonly<Record<string, RestAction>>): RestTarget | undefined {
  const [model, ...rest] = parts;
  if (model === undefined || model === "") return undefined;
  const hasVersion = rest[0] === "versions";
  const version = hasVersion ? rest[1] : "";
  const [action = "", ...more] = hasVersion ? rest.slice(2) : rest;
  if (version === undefined || (hasVersion && version === "") || more.length > 0 || !Object.hasOwn(actions, action))
    return undefined;
  return { action: actions[action] as RestAction, model, version };
}

function segmentsOf(path: string): string[] | undefined {
  const query = path.indexOf("?");
  const plain = query < 0 ? path : path.slice(0, query);
  const trimmed = plain.endsWith("/") ? plain.slice(1, -1) : plain.slice(1);
  try {
    return trimmed.split("/").map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
