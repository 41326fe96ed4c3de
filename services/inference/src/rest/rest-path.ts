/** What a REST path asks for. `model` and `version` are as the caller wrote them, "" when left out. */
export interface RestTarget {
  readonly action:
    | "server"
    | "live"
    | "server-ready"
    | "model"
    | "ready"
    | "infer"
    | "config"
    | "stats"
    | "all-stats"
    | "predict";
  readonly model: string;
  readonly version: string;
}

const actions: Readonly<Record<string, RestTarget["action"]>> = {
  "": "model",
  ready: "ready",
  infer: "infer",
  config: "config",
  stats: "stats",
};

/** Reads a path of the protocol's REST form, or of `/predict`; undefined when it is neither. */
export function parseRestPath(path: string): RestTarget | undefined {
  const parts = segments(path);
  if (parts === undefined) return undefined;
  const [first, second, third] = parts;
  const server = { model: "", version: "" };
  const rest = parts.join("/");
  if (rest === "v2") return { action: "server", ...server };
  if (rest === "v2/health/live") return { action: "live", ...server };
  if (rest === "v2/health/ready") return { action: "server-ready", ...server };
  if (rest === "v2/models/stats") return { action: "all-stats", ...server };
  if (rest === "predict") return { action: "predict", ...server };
  if (first === "models" && second !== undefined) return predictTarget(second, parts.slice(2));
  if (first !== "v2" || second !== "models" || third === undefined) return undefined;
  const [version, action, ...more] =
    parts[3] === "versions" ? [parts[4], parts[5] ?? "", ...parts.slice(6)] : ["", parts[3] ?? "", ...parts.slice(4)];
  const known = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (version === undefined || known === undefined || more.length > 0) return undefined;
  return { action: known, model: third, version };
}

function predictTarget(model: string, rest: readonly string[]): RestTarget | undefined {
  if (rest.length === 1 && rest[0] === "predict") return { action: "predict", model, version: "" };
  const [versions, version, action] = rest;
  if (rest.length === 3 && versions === "versions" && version !== undefined && action === "predict")
    return { action: "predict", model, version };
  return undefined;
}

function segments(path: string): string[] | undefined {
  try {
    const [plain = ""] = path.split("?", 1);
    return plain
      .split("/")
      .filter((part, i, all) => part !== "" || (i !== 0 && i !== all.length - 1))
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
