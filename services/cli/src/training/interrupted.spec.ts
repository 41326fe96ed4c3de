import { spawn } from "node:child_process";
import { once } from "node:events";
import { JobState, TrainingService } from "@aimass/api/trainer";
import { expect, it } from "vitest";
import { serveRoutes } from "../testing/serve-routes.ts";

const main = new URL("../main.ts", import.meta.url).pathname;

it("`aimass train` that is interrupted says that the job goes on, how to watch it and how to end it", {
  timeout: 30_000,
}, async () => {
  const job = { id: "j7", state: JobState.RUNNING };
  const over = new AbortController();
  await using server = await serveRoutes((router) => {
    router.rpc(TrainingService.method.createJob, () => ({ job }));
    router.rpc(TrainingService.method.watchJob, async function* () {
      yield { sequence: 1n, event: { case: "logLine", value: "step 1" } };
      await once(over.signal, "abort");
    });
  });
  const flags = ["--dataset", "d", "--target", "y", "--model", "m", "--server", server.url, "--api-key", "k"];
  const { npm_command: _, ...env } = process.env;
  const command = spawn(process.execPath, [main, "train", ...flags], { env });
  let told = "";
  command.stderr.on("data", (text) => {
    const isWatched = told.includes("step 1");
    told += text;
    if (!isWatched && told.includes("step 1")) command.kill("SIGINT");
  });
  const [code] = await once(command, "close");
  over.abort();
  expect(told).toMatch(/^Job j7 goes on\.\nNext: aimass jobs logs j7 --follow · aimass jobs cancel j7$/m);
  expect(code).toBe(130);
});
