import { JobState, TrainingService } from "@aimass/api/trainer";
import type { Command } from "commander";
import { enumName, modelName } from "../output/format.ts";
import { action } from "./context.ts";
import { type DestroyOptions, destroy, destroys } from "./destroy.ts";

/** `jobs delete`. */
export function addJobRemoval(jobs: Command): void {
  destroys(
    jobs
      .command("delete")
      .description("remove a job that has ended, with its log and report; the version it made stays")
      .argument("<job>"),
  ).action(
    action<DestroyOptions>(async (context, options, [id = ""]) => {
      const client = context.connection.client(TrainingService);
      await destroy(context, options, {
        call: (validateOnly) => client.deleteJob({ id, validateOnly }),
        what: ({ job }) => {
          const name = modelName(job?.spec?.project ?? "", job?.spec?.model ?? "");
          return `the job ${id} of ${name}, which is ${enumName(JobState, job?.state ?? 0)}`;
        },
        done: () => `The job ${id} is gone.`,
      });
    }),
  );
}
