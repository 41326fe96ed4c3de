import { type Retraining, RetrainingSchema, TrainingService } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { create } from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import type { Connection } from "../client/connection.ts";
import { modelName, time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { duration } from "../training/arguments.ts";
import type { JobFlags } from "../training/job-flags.ts";
import { action, modelArgument } from "./context.ts";
import { jobSpec, withJobFlags } from "./train.ts";

interface RetrainOptions extends JobFlags {
  readonly file?: string;
  readonly script?: string;
  readonly every?: string;
  readonly onNewData?: boolean;
  readonly paused?: boolean;
}

export function addRetraining(jobs: Command): void {
  const retrain = jobs
    .command("retrain")
    .description("rules that train again, by time or on new data: set, list, remove");
  withJobFlags(
    retrain
      .command("set")
      .description("make or replace a rule; takes the job as `aimass train` does")
      .argument("<name>", "the rule's name")
      .option("-f, --file <job.yaml>", "the whole job as YAML; flags take the place of what it says"),
  )
    .option("--every <time>", "train every so often, for instance 12h or 7d")
    .option("--on-new-data", "train whenever the dataset has a new version")
    .option("--paused", "keep the rule without acting on it")
    .action(
      action<RetrainOptions>(async ({ connection, output }, options, [name]) => {
        const spec = await jobSpec({ connection, output }, options);
        const rule = create(RetrainingSchema, { project: spec.project, name: name as string, spec, ...when(options) });
        const { retraining } = await connection.client(TrainingService).putRetraining({ retraining: rule });
        output.result(retraining, () => `${name} trains ${modelName(spec.project, spec.model)} ${occasion(rule)}.`);
      }),
    );
  addList(retrain);
  retrain
    .command("remove")
    .description("end a rule; jobs that it began go on")
    .argument("<name>", '"rule" or "project.rule"')
    .action(
      action(async ({ connection, output }, _options, [name]) => {
        const { project, model: rule } = modelArgument(name as string, "rule");
        const client = connection.client(TrainingService);
        // Removing is idempotent for programs; a person wants to know that the name was wrong.
        const retrainings = await listRules(connection, project);
        if (!retrainings.some(({ name: known }) => known === rule))
          throw new AimassError("NOT_FOUND", `There is no rule "${name}".`, {
            remedy: "See them with `aimass jobs retrain list`.",
          });
        await client.deleteRetraining({ project, name: rule });
        output.result({ removed: name }, () => `${name} is removed.`);
      }),
    );
}

function addList(retrain: Command): void {
  retrain
    .command("list")
    .description("the rules that you may view")
    .option("-p, --project <name>", "only of this project", "")
    .action(
      action<{ project: string }>(async ({ connection, output }, { project }) => {
        const retrainings = await listRules(connection, project);
        output.result(retrainings, () =>
          table(
            ["RULE", "MODEL", "WHEN", "NEXT", "LAST JOB", "PROBLEM"],
            retrainings.map((r) => [
              modelName(r.project, r.name),
              r.spec?.model ?? "",
              occasion(r),
              time(r.nextAt),
              r.lastJobId || "-",
              r.lastError || "-",
            ]),
          ),
        );
      }),
    );
}

async function listRules(connection: Connection, project: string): Promise<Retraining[]> {
  return await allPages(
    (page) => connection.client(TrainingService).listRetrainings({ project, page }),
    (answer) => answer.retrainings,
  );
}

function when({ every, onNewData = false, paused = false }: RetrainOptions) {
  if (every === undefined && !onNewData)
    throw new AimassError("INVALID_ARGUMENT", "Nothing says when to train again.", {
      remedy: "Give --every TIME, --on-new-data, or both.",
    });
  const rule = { onNewData, paused };
  return every === undefined ? rule : { ...rule, every: durationFromMs(duration("--every", every) * 1000) };
}

function occasion({ every, onNewData, paused }: Retraining): string {
  const occasions = [
    ...(every === undefined ? [] : [`every ${stretch(durationMs(every) / 1000)}`]),
    ...(onNewData ? ["on new data"] : []),
  ].join(" and ");
  return paused ? `${occasions} (paused)` : occasions;
}

function stretch(seconds: number): string {
  for (const [unit, length] of [
    ["d", 86_400],
    ["h", 3600],
    ["m", 60],
  ] as const)
    if (seconds >= length && seconds % length === 0) return `${seconds / length}${unit}`;
  return `${seconds}s`;
}
