import { join } from "node:path";
import type { Script } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import type { TrainingData } from "../data/training-data.ts";
import { phase } from "../recipes/phase.ts";
import { asDiskFull } from "../worker/disk-full.ts";
import type { JobWork, MadeModel } from "../worker/job-work.ts";
import type { WayToTrain } from "../worker/way-to-train.ts";
import { evaluateScriptModel } from "./evaluate-script-model.ts";
import { removeFolder } from "./remove-folder.ts";
import { fetchCode } from "./script-code.ts";
import { scriptVariables, writeScriptData } from "./script-data.ts";
import { failureOf, LastWords } from "./script-failure.ts";
import { takeModel } from "./script-result.ts";
import { scriptLimits, switchedOff } from "./script-rules.ts";
import type { ScriptIsolation, ScriptOutcome } from "./script-run.ts";
import { createIsolation } from "./script-settings.ts";

/** Shares of the progress at which steps begin. */
const progressAt = { run: 0.05, evaluate: 0.75 } as const;

/**
 * Trains by the job's own code: code and training rows are laid into a scratch folder, the command runs in isolation, and the model it leaves is tried in a
 * process of its own and measured on the rows it never saw. Errors: FAILED_PRECONDITION with the script's last lines (it failed, or was ended at a limit), for a model
 * that is missing or does not fit, and when scripts are off here; RESOURCE_EXHAUSTED for a full disk.
 */
export const trainScript: WayToTrain = async (work, data) => {
  const { script } = work.spec;
  const isolation = work.scripts && createIsolation(work.scripts);
  if (script === undefined || isolation === undefined) throw switchedOff();
  const directory = join(work.directory, "script");
  try {
    return await trainIn(directory, { script, isolation, work, data });
  } catch (error) {
    throw asDiskFull(error);
  } finally {
    await removeFolder(directory);
  }
};

interface ScriptJob {
  readonly script: Script;
  readonly isolation: ScriptIsolation;
  readonly work: JobWork;
  readonly data: TrainingData;
}

async function trainIn(directory: string, job: ScriptJob): Promise<MadeModel> {
  const { script, work, data } = job;
  const { report, spec, signal } = work;
  report.progress(0, "preparing the script");
  await fetchCode(work, join(directory, "code"));
  await writeScriptData(data, { spec, directory: join(directory, "data"), signal });
  report.progress(progressAt.run, "running the script");
  const words = new LastWords();
  const outcome = await runCommand(directory, words, job);
  const failure = failureOf(outcome, words);
  if (failure !== undefined) throw failure;
  const files = await takeModel(join(directory, "out"));
  const evaluated = await evaluateScriptModel({ ...work, report: phase(report, progressAt.evaluate, 1) }, data, files);
  return { ...evaluated, files, howJson: JSON.stringify({ command: script.command }), code: script.files };
}

async function runCommand(directory: string, words: LastWords, job: ScriptJob): Promise<ScriptOutcome> {
  const { script, isolation, work, data } = job;
  const { report, clock, spec, gpus } = work;
  using ending = untilTerminated(work.signal);
  const { most } = work.scripts as NonNullable<JobWork["scripts"]>;
  const limits = { ...scriptLimits(script.limits, most), gpus };
  report.log(`Running ${script.command.join(" ").slice(0, 500)} (${isolation.name}).`);
  const outcome = await isolation.run({
    command: script.command,
    directory,
    environment: { ...script.environment, ...scriptVariables(data, spec, isolation.folder(directory)) },
    limits,
    onLine(line, from) {
      words.add(line, from);
      report.log(line);
    },
    onMetric: ({ name, step, value }) => report.metric(name, step, value),
    signal: ending.signal,
    clock,
  });
  if (outcome.kind === "cancelled") await ending.passOn();
  return outcome;
}

/** Turns SIGTERM into an abort for as long as it lives, so that a script may tidy up and leaves nothing; then the signal does what it came for. */
function untilTerminated(signal: AbortSignal): Disposable & { signal: AbortSignal; passOn: () => Promise<void> } {
  const terminated = new AbortController();
  const onTerminate = () => terminated.abort(new AimassError("CANCELLED", "The job was stopped."));
  process.once("SIGTERM", onTerminate);
  return {
    signal: AbortSignal.any([signal, terminated.signal]),
    async passOn() {
      if (!terminated.signal.aborted) return;
      process.kill(process.pid, "SIGTERM");
      await new Promise<never>(() => {});
    },
    [Symbol.dispose]: () => void process.off("SIGTERM", onTerminate),
  };
}
