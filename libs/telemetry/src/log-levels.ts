import { ConfigError } from "@aimass/core";

const levels = ["debug", "info", "warn", "error", "silent"] as const;

/** How much a scope says; "silent" says nothing. */
export type LogLevel = (typeof levels)[number];

/** Levels by scope. A setting for "router" holds for "router.balance" too unless that has its own. */
export class LogLevels {
  readonly #fallback: LogLevel;
  readonly #byScope: ReadonlyMap<string, LogLevel>;

  constructor(fallback: LogLevel, byScope: ReadonlyMap<string, LogLevel> = new Map()) {
    this.#fallback = fallback;
    this.#byScope = byScope;
  }

  /** The level of a scope: its own, else that of the nearest scope above it, else the general one. */
  of(scope: string): LogLevel {
    for (let name = scope; name !== ""; name = name.slice(0, Math.max(name.lastIndexOf("."), 0))) {
      const level = this.#byScope.get(name);
      if (level !== undefined) return level;
    }
    return this.#fallback;
  }
}

/** Parses `LOG`: a comma list of a general level and `scope=level`, for instance "info,router.balance=debug". Throws ConfigError. */
export function parseLogLevels(text: string): LogLevels {
  const problems: string[] = [];
  const byScope = new Map<string, LogLevel>();
  let fallback: LogLevel = "info";
  for (const part of text.split(",").map((p) => p.trim())) {
    if (part === "") continue;
    const [scope, name] = part.includes("=") ? part.split("=", 2) : [undefined, part];
    const level = levels.find((l) => l === name);
    if (level === undefined) problems.push(`LOG has "${part}"; a level is one of ${levels.join(", ")}.`);
    else if (scope === undefined) fallback = level;
    else byScope.set(scope, level);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return new LogLevels(fallback, byScope);
}
