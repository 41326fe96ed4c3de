import { describe, expect, it } from "vitest";
import { TrainingData } from "../data/training-data.ts";
import { type CheckpointSlot, fitCandidate } from "../recipes/candidate.ts";
import { fitRequest } from "../recipes/make-model.ts";
import { servedGraph } from "../recipes/served-graph.ts";
import { candidateOf } from "../recipes/train-recipe.ts";
import { type TestJob, withJob } from "../testing/job-work.ts";
import { JobCheckpoints } from "./job-checkpoints.ts";

const rows = Array.from(
  { length: 300 },
  (_, i) => `${(i * 37) % 101},${(i * 53) % 89},${Math.sin(i) * ((i * 37) % 101)}`,
);
const bytes = `a,b,y\n${rows.join("\n")}\n`;
const spec = { recipe: "gradient-boosting", target: "y", seed: 5n, parameters: { iterations: 40 } };

interface Attempt extends Partial<TestJob> {
  /** Checkpoints after which the worker dies. */
  readonly dieAfter?: number;
}

/** Fits as a worker does; gives back the graph and the last checkpoint. */
async function attempt({ dieAfter = Number.POSITIVE_INFINITY, ...change }: Attempt = {}) {
  let saved: Uint8Array | undefined;
  let count = 0;
  const losses: number[] = [];
  const report = {
    checkpoint(state: Uint8Array) {
      saved = state;
      // At once: a fit looks at its signal now and then only, and this one is short.
      if (++count === dieAfter) throw new Error("killed");
    },
    metric: (_: string, step: number) => void losses.push(step),
  };
  const job: TestJob = { bytes, spec, report, ...change };
  const graph = await withJob(job, async (work) => {
    await using data = await TrainingData.open(work);
    const slot = new JobCheckpoints(work).slot("fit");
    const checkpoint: CheckpointSlot = { ...slot, everyMs: 0 };
    const request = { ...fitRequest(work, data), rows: { part: "train" }, checkpoint } as const;
    const { features, fitted } = await fitCandidate(data, candidateOf(work, data), request);
    return servedGraph(features, fitted);
  }).catch((error: Error) => {
    if (error.message !== "killed") throw error;
    return undefined;
  });
  return { graph, saved, firstStep: losses[0] };
}

describe("a checkpoint", () => {
  it("lets a job whose worker was killed go on where it was, to the very same model", async () => {
    const whole = await attempt();
    const killed = await attempt({ dieAfter: 15 });
    expect(killed.graph).toBeUndefined();
    const resumed = await attempt({ checkpoint: killed.saved ?? expect.fail() });
    expect(resumed.firstStep).toBeGreaterThan(10);
    expect(resumed.graph).toEqual(whole.graph);
  });

  it("of another spec, of other data, or that is none, is not gone on from", async () => {
    const { saved = expect.fail() } = await attempt({ dieAfter: 15 });
    const other = await attempt({ checkpoint: saved, spec: { ...spec, parameters: { iterations: 41 } } });
    expect(other.firstStep).toBe(1);
    expect((await attempt({ checkpoint: saved, bytes: `${bytes}1,2,3\n` })).firstStep).toBe(1);
    expect((await attempt({ checkpoint: Buffer.from("\0nonsense") })).firstStep).toBe(1);
  });

  it("of one phase leaves that of another as it is", () => {
    const saved: Uint8Array[] = [];
    return withJob({ bytes, spec, report: { checkpoint: (state) => saved.push(state) } }, async (work) => {
      const first = new JobCheckpoints(work);
      first.slot("search").save({ done: [1, 2] });
      first.slot("fit").save({ step: 3 });
      const later = new JobCheckpoints({ ...work, checkpoint: saved.at(-1) });
      expect(later.slot("search").resume).toEqual({ done: [1, 2] });
      expect(later.slot("fit").resume).toEqual({ step: 3 });
      expect(later.slot("else").resume).toBeUndefined();
    });
  });
});
