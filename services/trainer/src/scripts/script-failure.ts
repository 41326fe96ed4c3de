import { AimassError } from "@aimass/core";
import type { ScriptOutcome } from "./script-run.ts";
import { machineIsFull } from "./script-watch.ts";

const keptLines = 12;
const longestLine = 300;
/** As job_spec.proto names them. */
const limitFields = { seconds: "seconds", memory: "memory_bytes", disk: "disk_bytes", processes: "processes" } as const;

/** The last lines that a script printed. */
export class LastWords {
  readonly #lines = { stdout: [] as string[], stderr: [] as string[] };

  add(line: string, from: "stdout" | "stderr"): void {
    const lines = this.#lines[from];
    lines.push(line.slice(0, longestLine));
    if (lines.length > keptLines) lines.shift();
  }

  /** Of stderr, or where that is silent, of stdout. */
  toString(): string {
    const { stderr, stdout } = this.#lines;
    return (stderr.length > 0 ? stderr : stdout).filter((line) => line.trim() !== "").join("\n");
  }
}

/** What went wrong with a script; undefined when it ended well. */
export function failureOf(outcome: ScriptOutcome, words: LastWords): AimassError | undefined {
  const last = words.toString();
  const said = last === "" ? "It printed nothing." : `Its last lines:\n${last}`;
  switch (outcome.kind) {
    case "exited":
      return outcome.code === 0 ? undefined : failed(`The script ended with exit code ${outcome.code}.`, said);
    case "signalled":
      return failed(`The script was killed by ${outcome.signal}${hint(outcome.signal)}.`, said);
    case "limit":
      if (outcome.reason === machineIsFull) return fullMachine(said);
      return new AimassError("FAILED_PRECONDITION", outcome.reason, {
        reason: "SCRIPT_LIMIT",
        field: `spec.script.limits.${limitFields[outcome.limit]}`,
        remedy: `Ask for more in script.limits, as far as the trainer allows, or let it use less. ${said}`,
      });
    case "cancelled":
      return new AimassError("CANCELLED", "The script was cancelled.");
  }
}

function hint(signal: string): string {
  if (signal === "SIGKILL") return ", perhaps because the machine ran out of memory";
  return signal === "SIGSEGV" || signal === "SIGABRT" ? ": it crashed" : "";
}

function fullMachine(said: string): AimassError {
  const remedy = `Make room in the trainer's state directory, then run the job again. ${said}`;
  return new AimassError("RESOURCE_EXHAUSTED", machineIsFull, { reason: "DISK_FULL", remedy });
}

function failed(message: string, said: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", message, { reason: "SCRIPT_FAILED", remedy: said });
}
