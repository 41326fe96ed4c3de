import type { EvaluationReportSchema } from "@aimass/api/trainer";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Reporter } from "../recipes/recipe.ts";

/** What a job told. */
export interface Told {
  readonly lines: string[];
  readonly warnings: string[];
  readonly points: { name: string; step: number; value: number }[];
  readonly progress: { fraction: number; doing: string; step: number | undefined }[];
  readonly reports: MessageInitShape<typeof EvaluationReportSchema>[];
  readonly checkpoints: Uint8Array[];
}

/** A reporter that keeps everything. */
export function recorder(): { told: Told; report: Reporter } {
  const told: Told = { lines: [], warnings: [], points: [], progress: [], reports: [], checkpoints: [] };
  const report: Reporter = {
    progress: (fraction, doing, step) => void told.progress.push({ fraction, doing, step: step?.step }),
    log: (line) => void told.lines.push(line),
    warn: (sentence) => void told.warnings.push(sentence),
    metric: (name, step, value) => void told.points.push({ name, step, value }),
    evaluated: (so) => void told.reports.push(so),
    checkpoint: (state) => void told.checkpoints.push(state),
  };
  return { told, report };
}

/** Numbers in a circle are "in", others "out"; one category says a little too. */
export function ringCsv(rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const x = Math.sin(i * 12.9898) * 2;
    const y = Math.sin(i * 78.233 + 1) * 2;
    const isIn = x * x + y * y + 0.3 * Math.sin(i * 3.1) < 2;
    return `${x.toFixed(4)},${y.toFixed(4)},${i % 5 === 0 ? "red" : "blue"},${isIn ? "in" : "out"}`;
  });
  return `x,y,colour,side\n${lines.join("\n")}\n`;
}

/** y = 3a − 2b with some noise, and ten columns that say nothing. */
export function planeCsv(rows: number): string {
  const noise = Array.from({ length: 10 }, (_, k) => `n${k}`);
  const lines = Array.from({ length: rows }, (_, i) => {
    const a = Math.sin(i * 12.9898);
    const b = Math.sin(i * 78.233 + 1);
    const others = noise.map((_, k) => Math.sin(i * (5.1 + 3 * k) + k).toFixed(4));
    return [a.toFixed(4), b.toFixed(4), ...others, (3 * a - 2 * b + 0.3 * Math.sin(i * 3.1)).toFixed(4)].join(",");
  });
  return `a,b,${noise.join(",")},y\n${lines.join("\n")}\n`;
}
