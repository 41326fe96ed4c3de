import type { Reporter } from "./recipe.ts";

/** A reporter for a part of a job: its 0…1 is `from`…`to` of the job. */
export function phase(report: Reporter, from: number, to: number): Reporter {
  return {
    ...report,
    progress: (fraction, doing, step) => {
      const within = Math.min(1, Math.max(0, fraction));
      report.progress(from + within * (to - from), doing, step);
    },
  };
}
