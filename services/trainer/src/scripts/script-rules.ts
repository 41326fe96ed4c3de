import type { Script, ScriptLimits as ScriptLimitsMessage } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import type { PostgresTrainers } from "../jobs/postgres-trainers.ts";
import { codeBytesAtMost } from "./script-code.ts";
import { checkEnvironment } from "./script-command.ts";
import type { ScriptIsolation, ScriptLimits } from "./script-run.ts";
import { createIsolation, type MostOfScript, type ScriptSettings } from "./script-settings.ts";

const mostWords = 1000;
const longestWords = 64 * 1024;
const mostFiles = 1000;
const mostCodeBytes = BigInt(codeBytesAtMost);
/** Of a name in a file system (Linux's NAME_MAX). */
const longestName = 255;
/** Variables that the platform gives; the job's parameters are among them. */
const ownNames = "Name it otherwise: AIMASS_… and CUDA_VISIBLE_DEVICES are not the script's to set.";
const reserved = /^(AIMASS_|CUDA_VISIBLE_DEVICES$)/;

/** What a trainer lets scripts do, judged before a job is queued. */
export class ScriptRules {
  readonly #settings: ScriptSettings;
  readonly #isolation: ScriptIsolation | undefined;
  readonly #runsHere: boolean;
  readonly #trainers: Pick<PostgresTrainers, "mostGpus">;

  constructor(
    settings: ScriptSettings,
    options: {
      /** Whether scripts would run in this process's workers; another trainer may have what this machine lacks. */
      runsHere: boolean;
      /** Who may have more devices. */
      trainers: Pick<PostgresTrainers, "mostGpus">;
    },
  ) {
    this.#settings = settings;
    this.#isolation = createIsolation(settings);
    this.#runsHere = options.runsHere;
    this.#trainers = options.trainers;
  }

  /** Throws FAILED_PRECONDITION when no script can run, INVALID_ARGUMENT with its field for one that may not. */
  async check(script: Script): Promise<void> {
    if (this.#isolation === undefined) throw switchedOff();
    checkCommand(script);
    checkFiles(script);
    checkVariables(script);
    checkLimits(script.limits, this.#settings.most);
    await this.#checkDevices(script.limits?.gpus ?? 0);
    if (!this.#runsHere) return;
    const available = await this.#isolation.available();
    if (available !== true) throw new AimassError("FAILED_PRECONDITION", available, { field: "spec.script" });
  }

  async #checkDevices(asked: number): Promise<void> {
    const own = this.#runsHere ? this.#settings.most.gpus.length : 0;
    if (asked >= 0 && asked <= own) return;
    const most = Math.max(own, (await this.#trainers.mostGpus()) ?? 0);
    if (asked < 0 || asked > most) throw tooManyDevices(asked, `The trainer with the most devices has ${most}`);
  }
}

export function switchedOff(): AimassError {
  return new AimassError("FAILED_PRECONDITION", "Scripts are switched off on this trainer.", {
    reason: "SCRIPTS_OFF",
    field: "spec.script",
    remedy: "Set AIMASS_SCRIPTS=bubblewrap where the trainer runs (with bubblewrap installed), or train by a recipe.",
  });
}

/** What a script gets of what it asks for; its devices are lent to its job. Throws INVALID_ARGUMENT when it asks for more than there is. */
export function scriptLimits(asked: ScriptLimitsMessage | undefined, most: MostOfScript): Omit<ScriptLimits, "gpus"> {
  const gpus = asked?.gpus ?? 0;
  if (gpus < 0 || gpus > most.gpus.length) throw tooManyDevices(gpus, `This trainer has ${most.gpus.length}`);
  return checkLimits(asked, most);
}

function checkLimits(asked: ScriptLimitsMessage | undefined, most: MostOfScript): Omit<ScriptLimits, "gpus"> {
  return {
    seconds: atMost("seconds", asked?.seconds ?? 0, most.seconds),
    memoryBytes: atMost("memory_bytes", Number(asked?.memoryBytes ?? 0n), most.memoryBytes),
    cpus: atMost("cpus", asked?.cpus ?? 0, most.cpus),
    processes: atMost("processes", asked?.processes ?? 0, most.processes),
    diskBytes: atMost("disk_bytes", Number(asked?.diskBytes ?? 0n), most.diskBytes),
  };
}

function atMost(name: string, asked: number, most: number): number {
  if (asked >= 0 && asked <= most) return asked === 0 ? most : asked;
  throw tooMuch(name, asked, most);
}

function tooMuch(name: string, asked: number, most: number): AimassError {
  const remedy = `This trainer gives at most ${most}; 0 is that much.`;
  return invalid(`limits.${name}`, `The script asks for ${name} of ${asked}.`, remedy);
}

function tooManyDevices(asked: number, there: string): AimassError {
  const remedy = `${there} (AIMASS_SCRIPT_GPUS); 0 asks for none.`;
  return invalid("limits.gpus", `The script asks for ${asked} devices.`, remedy);
}

function checkCommand({ command }: Script): void {
  const length = command.reduce((sum, word) => sum + word.length, 0);
  if (command.length === 0 || command[0] === "") {
    throw invalid("command", "The script has no command.", 'Give one, for instance ["python3", "train.py"].');
  }
  if (command.length > mostWords || length > longestWords || command.some((word) => word.includes("\0"))) {
    throw invalid("command", "The script's command is too long or holds a zero character.", "Put it into a file.");
  }
}

function checkFiles({ files }: Script): void {
  const seen = new Set<string>();
  for (const [i, { path, sha256, sizeBytes }] of files.entries()) {
    const parts = path.split("/");
    const isInside = parts.every(isName) && !/[\0\\]/.test(path);
    if (!isInside || path.length > 500) {
      const remedy = 'Write it like "train.py" or "lib/model.py".';
      throw invalid(`files[${i}].path`, `"${path.slice(0, 200)}" is no path inside the script's folder.`, remedy);
    }
    if (sha256.length !== 32) throw invalid(`files[${i}].sha256`, `The digest of "${path}" is not 32 bytes long.`);
    if (sizeBytes < 0n) throw invalid(`files[${i}].size_bytes`, `The size of "${path}" is ${sizeBytes}.`);
    if (seen.has(path)) throw invalid(`files[${i}].path`, `"${path}" is there twice.`);
    seen.add(path);
  }
  const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0n);
  if (files.length > mostFiles || bytes > mostCodeBytes) {
    const remedy = `At most ${mostFiles} files and 256 MiB; data belong into the dataset.`;
    throw invalid("files", `The script has ${files.length} files of ${bytes} bytes.`, remedy);
  }
}

function isName(part: string): boolean {
  return part !== "" && part !== "." && part !== ".." && Buffer.byteLength(part) <= longestName;
}

function checkVariables({ environment }: Script): void {
  const own = Object.keys(environment).find((name) => reserved.test(name));
  if (own !== undefined) throw invalid("environment", `"${own.slice(0, 100)}" is given by the platform.`, ownNames);
  checkEnvironment(environment);
}

function invalid(field: string, message: string, remedy?: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, {
    field: `spec.script.${field}`,
    ...(remedy !== undefined && { remedy }),
  });
}
