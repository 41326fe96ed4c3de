import { Bubblewrap } from "./bubblewrap.ts";
import type { ScriptIsolation } from "./script-run.ts";
import { UnsafeProcess } from "./unsafe-process.ts";

/** How a trainer runs scripts. Plain JSON: workers are told. */
export interface ScriptSettings {
  /** "off": it refuses them. */
  readonly isolation: "off" | "bubblewrap" | "unsafe-process";
  /** Folders that scripts may read beside the system's. */
  readonly paths: readonly string[];
  /** The platform's own folders: no path may lead into them. Scratch folders are made below the first. */
  readonly hidden: readonly string[];
  /** What a script may use at most, and does when it asks for nothing. */
  readonly most: MostOfScript;
}

export interface MostOfScript {
  readonly seconds: number;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly processes: number;
  readonly diskBytes: number;
  /** Devices, as CUDA numbers them; each is one job's at a time. */
  readonly gpus: readonly string[];
}

/** The isolation that settings name; undefined when scripts are off. */
export function createIsolation({ isolation, paths, hidden }: ScriptSettings): ScriptIsolation | undefined {
  if (isolation === "off") return undefined;
  return isolation === "bubblewrap" ? new Bubblewrap({ paths, hidden }) : new UnsafeProcess();
}
