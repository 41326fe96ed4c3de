import type { Clock } from "@aimass/core";
import type { Reporter } from "../recipes/recipe.ts";
import type { WorkerMessage } from "./worker-message.ts";

/** Progress is told at most this often. */
const progressEveryMs = 250;
const mostLines = 5000;
const longestLine = 4000;

/** A reporter that keeps what it sends within bounds, whatever the recipe does. */
export function createWorkerReporter(send: (message: WorkerMessage) => void, clock: Clock): Reporter {
  let lines = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  return {
    progress(fraction, doing) {
      const now = clock.monotonic();
      if (now - toldAt < progressEveryMs) return;
      toldAt = now;
      send({ kind: "progress", fraction: Math.min(1, Math.max(0, fraction)), doing });
    },
    log(line) {
      lines += 1;
      if (lines <= mostLines) send({ kind: "log", line: line.slice(0, longestLine) });
      else if (lines === mostLines + 1) send({ kind: "log", line: `After ${mostLines} lines the log is cut off.` });
    },
  };
}
