import { describe, it } from "vitest";
import { findProgram } from "./programs.ts";

/**
 * Where a check must run: "ci" on the build machine (there a missing need fails), "gpu" where an accelerator is, "manual" when a person asks for it
 * (AIMASS_MANUAL=true).
 */
export type CheckLevel = "ci" | "gpu" | "manual";

/** What a check needs that a machine with Node and npm alone lacks. */
export interface CheckNeeds {
  /** A program by name, or several; "NAME=" stands for an environment variable that is set. */
  readonly needs: string | readonly string[];
}

/**
 * A `describe` for checks with needs. Where one is missing, the check is skipped by name and reason; with CI=true a missing need of a "ci" check fails.
 *
 * ### Example
 * ```ts
 * describeWith("ci", { needs: "nats-server" }, "events over JetStream", () => { … });
 * ```
 */
export function describeWith(level: CheckLevel, what: CheckNeeds, title: string, body: () => void): void {
  const verdict = judgeNeeds({ level, needs: [what.needs].flat(), env: process.env, find: findProgram });
  if (verdict.kind === "run") describe(title, body);
  else if (verdict.kind === "skip") describe.skip(`${title} [skipped: ${verdict.reason}]`, body);
  else it(`${title}: finds what it needs`, () => Promise.reject(new Error(verdict.reason)));
}

/** What to do with a check here. */
export type NeedsVerdict =
  | { readonly kind: "run" }
  | { readonly kind: "skip"; readonly reason: string }
  | { readonly kind: "fail"; readonly reason: string };

/** Decides by level, needs and machine. */
export function judgeNeeds(o: {
  level: CheckLevel;
  needs: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  find: (program: string) => string | undefined;
}): NeedsVerdict {
  if (o.level === "manual" && o.env.AIMASS_MANUAL !== "true") {
    return { kind: "skip", reason: "runs only with AIMASS_MANUAL=true" };
  }
  const missing = o.needs.filter((need) =>
    need.endsWith("=") ? !o.env[need.slice(0, -1)] : o.find(need) === undefined,
  );
  if (missing.length === 0) return { kind: "run" };
  const reason = `needs ${missing.join(", ")} (${o.level})`;
  return { kind: o.level === "ci" && o.env.CI === "true" ? "fail" : "skip", reason };
}
