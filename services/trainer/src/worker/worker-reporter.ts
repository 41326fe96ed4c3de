import { EvaluationReportSchema } from "@aimass/api/trainer";
import type { Clock } from "@aimass/core";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Reporter, Step } from "../recipes/recipe.ts";
import { CheckpointFiles } from "./checkpoint-files.ts";
import { CurveThinning } from "./curve-thinning.ts";
import type { WorkerMessage } from "./worker-message.ts";

/** Progress is told at most this often. */
const progressEveryMs = 250;
const mostLines = 5000;
const longestLine = 4000;
const mostWarnings = 100;
const longestWarning = 1000;
const longestName = 100;

/** A reporter that keeps what it sends within bounds, whatever the recipe does. */
export interface WorkerReporter extends Reporter {
  /** Tells what was held back. */
  flush(): void;
}

export interface WorkerReporterOptions {
  readonly send: (message: WorkerMessage) => void;
  readonly clock: Clock;
  /** Points of curves that may be told. */
  readonly points: number;
  readonly checkpointDirectory: string;
}

export function createWorkerReporter(options: WorkerReporterOptions): WorkerReporter {
  const { send, clock } = options;
  const progress = heldProgress(send, clock);
  const log = boundedLog(send);
  const warned = new Set<string>();
  const checkpoints = new CheckpointFiles({ directory: options.checkpointDirectory, send, clock, log });
  const curves = new CurveThinning({
    tell: (point) => send({ kind: "metric", ...point }),
    clock,
    budget: options.points,
  });
  return {
    progress: progress.tell,
    log,
    warn(sentence) {
      const short = sentence.slice(0, longestWarning);
      if (warned.has(short) || warned.size >= mostWarnings) return;
      warned.add(short);
      send({ kind: "warning", sentence: short });
    },
    metric: (name, step, value) =>
      void curves.add({ name: name.slice(0, longestName), step: Math.trunc(step) || 0, value }),
    evaluated(report) {
      send({ kind: "report", report: toBinary(EvaluationReportSchema, create(EvaluationReportSchema, report)) });
    },
    checkpoint: (state) => checkpoints.keep(state),
    flush() {
      progress.flush();
      curves.flush();
    },
  };
}

/** Sends progress now and then; what came last is held back until then. */
function heldProgress(send: (message: WorkerMessage) => void, clock: Clock) {
  let toldAt = Number.NEGATIVE_INFINITY;
  let held: WorkerMessage | undefined;
  const flush = () => {
    if (held !== undefined) send(held);
    held = undefined;
  };
  const tell = (fraction: number, doing: string, step?: Step) => {
    const bounded = Math.min(1, Math.max(0, fraction)) || 0;
    held = { kind: "progress", fraction: bounded, doing: doing.slice(0, longestWarning), ...(step && { step }) };
    const now = clock.monotonic();
    if (now - toldAt < progressEveryMs) return;
    toldAt = now;
    flush();
  };
  return { tell, flush };
}

function boundedLog(send: (message: WorkerMessage) => void): (line: string) => void {
  let lines = 0;
  return (line) => {
    lines += 1;
    if (lines <= mostLines) send({ kind: "log", line: line.slice(0, longestLine) });
    else if (lines === mostLines + 1) send({ kind: "log", line: `After ${mostLines} lines the log is cut off.` });
  };
}
