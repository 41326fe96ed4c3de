import type { Clock } from "@aimass/core";

/** The most a script may use. */
export interface ScriptLimits {
  readonly seconds: number;
  /** Resident memory of all its processes together. */
  readonly memoryBytes: number;
  readonly cpus: number;
  /** Processes and threads together. */
  readonly processes: number;
  /** Bytes under its writable folders. */
  readonly diskBytes: number;
  /** Devices it sees, as CUDA numbers them. Empty: none. */
  readonly gpus: readonly string[];
}

/** One number of the metrics file. */
export interface ScriptMetric {
  readonly name: string;
  readonly step: number;
  readonly value: number;
}

/** One command of somebody else's. */
export interface ScriptRun {
  /** The program and its arguments; the program is looked up in the PATH inside. */
  readonly command: readonly string[];
  /** The scratch folder, with `code/` (the working directory, writable), `data/` (read only) and `out/` (the result). Nobody else uses it. */
  readonly directory: string;
  /** Beside PATH, HOME, TMPDIR and LANG. Paths in it are as `ScriptIsolation.folder` says. */
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: ScriptLimits;
  /** At most 4000 characters, without control characters; called at most a few thousand times a second, whatever is printed. */
  readonly onLine: (line: string, from: "stdout" | "stderr") => void;
  /** What appears in `out/metrics.jsonl`, while it grows. */
  readonly onMetric: (point: ScriptMetric) => void;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** How it ended. */
export type ScriptOutcome =
  | { readonly kind: "exited"; readonly code: number }
  /** A signal that was not ours. */
  | { readonly kind: "signalled"; readonly signal: string }
  | { readonly kind: "limit"; readonly limit: ScriptLimit /** One sentence. */; readonly reason: string }
  | { readonly kind: "cancelled" };

export type ScriptLimit = "seconds" | "memory" | "disk" | "processes";

/** A way to keep a script to itself. */
export interface ScriptIsolation {
  readonly name: "bubblewrap" | "unsafe-process";
  /** True, or why it cannot be had here and what to do. */
  available(): Promise<true | string>;
  /** Where the script sees its scratch folder. */
  folder(directory: string): string;
  /**
   * Runs it. When this resolves, no process of the script is left. Errors: FAILED_PRECONDITION (this isolation cannot be had here),
   * RESOURCE_EXHAUSTED (no room to start it), INVALID_ARGUMENT (an environment variable that is not the script's to set).
   */
  run(run: ScriptRun): Promise<ScriptOutcome>;
}

/** The metrics file, below `out/`. */
export const metricsFile = "metrics.jsonl";
