import { type CheckLevel, findProgram, judgeNeeds } from "@aimass/testkit";

/** What one part of the conformance run found. */
export interface Finding {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  /** What was seen, or why it failed or was skipped. */
  readonly note: string;
}

/** One thing to show, with where it must run and what that needs. */
export interface Check {
  readonly name: string;
  /** "ci": skipped where a need is missing, but never with CI=true. */
  readonly level: CheckLevel;
  /** Programs it needs, by name. */
  readonly needs: readonly string[];
  /** Findings; a thrown error is one failed finding. */
  readonly run: () => Promise<readonly Finding[]>;
}

/** Runs one check, telling each finding as it comes. */
export async function runCheck(check: Check, tell: (finding: Finding) => void): Promise<Finding[]> {
  const findings = await findingsOf(check);
  for (const finding of findings) tell(finding);
  return findings;
}

async function findingsOf({ name, level, needs, run }: Check): Promise<Finding[]> {
  const verdict = judgeNeeds({ level, needs, env: process.env, find: findProgram });
  if (verdict.kind !== "run") {
    return [{ name, outcome: verdict.kind === "fail" ? "failed" : "skipped", note: verdict.reason }];
  }
  try {
    const findings = await run();
    return findings.length > 0 ? [...findings] : [{ name, outcome: "failed", note: "It found nothing to check." }];
  } catch (error) {
    return [{ name, outcome: "failed", note: error instanceof Error ? error.message : String(error) }];
  }
}

/** Runs one assertion-like step as a finding: passes with the note it returns. */
export async function finding(name: string, step: () => Promise<string>): Promise<Finding> {
  try {
    return { name, outcome: "passed", note: await step() };
  } catch (error) {
    return { name, outcome: "failed", note: error instanceof Error ? error.message : String(error) };
  }
}
