import { JobSchema, JobState, TrainingService } from "@aimass/api/trainer";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { serveRoutes } from "../testing/serve-routes.ts";
import { followJob } from "./follow-job.ts";

const running = create(JobSchema, { id: "j1", state: JobState.RUNNING });

it("a job is followed over more broken streams than may come in a row, each line once", {
  timeout: 20_000,
}, async () => {
  const lines = 30;
  const asked: bigint[] = [];
  await using server = await serveRoutes((router) => {
    router.rpc(TrainingService.method.watchJob, async function* ({ afterSequence }) {
      asked.push(afterSequence);
      const sequence = afterSequence + 1n;
      if (sequence > lines) {
        yield { sequence, event: { case: "job", value: { id: "j1", state: JobState.SUCCEEDED } } };
        return;
      }
      yield { sequence, event: { case: "logLine", value: `line ${sequence}` } };
      throw new ConnectError("the trainer restarts", Code.Unavailable);
    });
  });
  const told: string[] = [];
  const last = await followJob(server.connection, running, { onLogLine: (line) => told.push(line) });
  expect(last.state).toBe(JobState.SUCCEEDED);
  expect(told).toEqual(Array.from({ length: lines }, (_, i) => `line ${i + 1}`));
  expect(asked).toEqual(Array.from({ length: lines + 1 }, (_, i) => BigInt(i)));
});

it("a stream that ends early is taken up again after a wait", async () => {
  let streams = 0;
  await using server = await serveRoutes((router) => {
    router.rpc(TrainingService.method.watchJob, async function* ({ afterSequence }) {
      streams += 1;
      yield { sequence: afterSequence + 1n, event: { case: "logLine", value: "again" } };
    });
    router.rpc(TrainingService.method.getJob, () => ({
      job: { id: "j1", state: streams < 3 ? JobState.RUNNING : JobState.CANCELLED },
    }));
  });
  const startedAt = performance.now();
  expect((await followJob(server.connection, running, {})).state).toBe(JobState.CANCELLED);
  expect(streams).toBe(3);
  expect(performance.now() - startedAt).toBeGreaterThan(150);
});
