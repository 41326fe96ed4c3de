import { type GetQuotaResponse, TrainingService } from "@aimass/api/trainer";
import type { Command } from "commander";
import { wholeNumber } from "../training/arguments.ts";
import { action } from "./context.ts";

interface QuotaOptions {
  readonly maxRunning?: string;
  readonly maxQueued?: string;
}

export function addQuota(jobs: Command): void {
  jobs
    .command("quota")
    .description("how many jobs of a project may run and wait at once; sets it with --max-running and --max-queued")
    .argument("[project]", '"default" when left out')
    .option("--max-running <n>", "0: no bound")
    .option("--max-queued <n>", "0: no bound")
    .action(
      action<QuotaOptions>(async ({ connection, output }, { maxRunning, maxQueued }, [project = "default"]) => {
        const client = connection.client(TrainingService);
        const before = (await client.getQuota({ project })).quota;
        if (maxRunning !== undefined || maxQueued !== undefined)
          await client.setQuota({
            quota: {
              project,
              maxRunning:
                maxRunning === undefined ? (before?.maxRunning ?? 0) : wholeNumber("--max-running", maxRunning),
              maxQueued: maxQueued === undefined ? (before?.maxQueued ?? 0) : wholeNumber("--max-queued", maxQueued),
            },
          });
        const now = await client.getQuota({ project });
        output.result(now, () => describe(project, now));
      }),
    );
}

function describe(project: string, { quota, running, queued }: GetQuotaResponse): string {
  const bound = (most: number | undefined) => (most ? `of at most ${most}` : "without a bound");
  return `${project}: ${running} running (${bound(quota?.maxRunning)}), ${queued} waiting (${bound(quota?.maxQueued)})`;
}
