import type { DeploymentSpecSchema } from "@aimass/api/scheduler";
import {
  type Deployment,
  DeploymentService,
  type DeploymentSpec,
  Loading,
  type Plan,
  type PutDeploymentResponse,
  RolloutPhase,
  Sharing,
} from "@aimass/api/scheduler";
import { AimassError } from "@aimass/core";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import type { Connection } from "../client/connection.ts";
import type { ExpectedAlias } from "../client/until-routed.ts";
import { waitUntilServed } from "../client/until-served.ts";
import { bytes, enumName, modelName } from "../output/format.ts";
import { type Output, table } from "../output/output.ts";
import { wholeNumber } from "../training/arguments.ts";
import { action, type CommandContext, modelArgument } from "./context.ts";
import { destroy } from "./destroy.ts";

interface DeployOptions {
  readonly replicas?: string;
  readonly alias?: string[];
  readonly version?: string[];
  readonly dedicated?: boolean;
  readonly device?: string;
  readonly keepWarm?: string;
  readonly onDemand?: boolean;
  readonly resident?: boolean;
  readonly dryRun?: boolean;
  readonly delete?: boolean;
  readonly yes?: boolean;
  readonly wait: boolean;
}

export function addDeploy(program: Command): void {
  program
    .command("deploy")
    .description("serve a model: which aliases and versions, on how many replicas")
    .argument("<model>")
    .option("-r, --replicas <n>", "replicas that hold each version")
    .option("-a, --alias <name...>", 'aliases to serve (default "default")')
    .option("-v, --version <n...>", 'versions to serve beside them, by number; "none" for none')
    .option("--dedicated", "on replicas of its own")
    .option("--device <kind>", "cpu or gpu")
    .option("--keep-warm <n>", "earlier versions kept loaded for instant rollback")
    .option("--on-demand", "put aside when others need the memory, brought back by the next request")
    .option("--resident", "always in memory (the default)")
    .option("--dry-run", "only say whether it fits and what is short")
    .option("--delete", "end the deployment; with --dry-run only say what would end")
    .option("-y, --yes", "with --delete: do not ask back at a terminal")
    .option("--no-wait", "do not wait until it serves")
    .action(
      action<DeployOptions>(async (context, options, [name]) => {
        const { connection, output } = context;
        const { project, model } = modelArgument(name as string);
        if (options.delete) return await endDeployment(context, options, { project, model });
        const wishes = specOf(project, model, options);
        const answer = await putWishes(connection, wishes, options.dryRun ?? false);
        if (options.dryRun) {
          const plan = answer.plan;
          output.result(plan, () => [
            plan?.fits
              ? `It fits: ${bytes(plan.memoryBytesPerReplica)} of memory a replica, ${bytes(plan.diskBytesPerNode)} of disk a machine.`
              : "It does not fit:",
            ...(plan?.shortages ?? []).map((shortage) => `  ${shortage}`),
            ...(plan?.versions ?? []).map((v) => `  v${v.version} on ${v.replicaIds.join(", ")}`),
            ...fewerThanWanted(plan, wishes.replicas),
          ]);
          if (plan?.fits === false) process.exitCode = 1;
          return;
        }
        const summary = options.wait
          ? await waitUntilServed(connection, { project, model }, { output, ...planned(answer) })
          : (answer.deployment?.status?.summary ?? "");
        output.result({ deployment: answer.deployment, summary }, () => [
          summary || `${name} is being deployed.`,
          ...fewerThanWanted(answer.plan, wishes.replicas),
        ]);
        output.hint(`Next: aimass predict ${name} · aimass status`);
      }),
    );
}

/** Fields of a spec that somebody wishes for; the others stay as they are. */
export type Wishes = MessageInitShape<typeof DeploymentSpecSchema> & { project: string; model: string };

/** How often a deployment that others change at the same time is read again. */
const mostReads = 5;

/**
 * Lays wishes over the deployment as it is, or makes one of them. Somebody else's change in between is read and kept. Errors: FAILED_PRECONDITION when it names
 * what is not there to be served, or does not fit.
 */
export async function putWishes(
  connection: Connection,
  wishes: Wishes,
  dryRun = false,
): Promise<PutDeploymentResponse> {
  for (let reads = 1; ; reads++) {
    const current = await currentDeployment(connection, wishes.project, wishes.model);
    const spec = { ...plain(current?.spec), ...wishes };
    try {
      const etag = current?.etag ?? "";
      const createOnly = current === undefined;
      return await connection.client(DeploymentService).putDeployment({ spec, dryRun, etag, createOnly });
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Aborted || reads === mostReads) throw error;
    }
  }
}

/** Deploys with the given wishes and waits until it is served, by the expected version where one is named. Returns the summary sentence. */
export async function deployModel(
  connection: Connection,
  wishes: Wishes,
  options: { output?: Output; expected?: readonly ExpectedAlias[] } = {},
): Promise<string> {
  const answer = await putWishes(connection, wishes);
  return (await waitUntilServed(connection, wishes, { ...planned(answer), ...options })) ?? "";
}

/** What can be waited for: each alias at the version it points at, on as many replicas as the plan has. */
function planned({ plan, deployment }: PutDeploymentResponse): { expected: ExpectedAlias[]; whole: number } {
  const aliases = deployment?.status?.aliases ?? [];
  const expected = aliases.map(({ alias, wantedVersion }) => ({ alias, version: wantedVersion }));
  return { expected, whole: plannedReplicas(plan) };
}

/** On how many replicas a plan has every version: no more can be waited for where there are fewer than wanted. */
function plannedReplicas(plan: Plan | undefined): number {
  return Math.min(...(plan?.versions ?? []).map(({ replicaIds }) => Math.max(1, replicaIds.length)));
}

function fewerThanWanted(plan: Plan | undefined, wanted = 0): string[] {
  const there = plannedReplicas(plan);
  if (plan?.fits !== true || there >= wanted) return [];
  return [
    `${wanted} replicas are wanted, and there ${there === 1 ? "is 1" : `are ${there}`}: it serves on more when there are more.`,
  ];
}

async function endDeployment(
  context: CommandContext,
  options: DeployOptions,
  at: { project: string; model: string },
): Promise<void> {
  const { connection } = context;
  const name = modelName(at.project, at.model);
  const other = deployWishes.find((wish) => options[wish] !== undefined);
  if (other !== undefined)
    throw new AimassError("INVALID_ARGUMENT", `--delete ends the deployment; --${other} is for one that goes on.`, {
      remedy: "Give one of them.",
    });
  await destroy(context, options, {
    verb: "End",
    call: async (validateOnly) => {
      const { deployment } = await connection.client(DeploymentService).deleteDeployment({ ...at, validateOnly });
      return { ...(validateOnly ? { wouldDelete: deployment !== undefined } : { deleted: name }), deployment };
    },
    what: ({ deployment }) =>
      deployment === undefined
        ? `nothing: ${name} is not deployed`
        : `the deployment of ${name} (${(deployment.status?.summary ?? "not looked at yet").replace(/\.$/, "")})`,
    done: () => `${name} is no longer deployed.`,
  });
}

/** Options that say how to deploy. */
const deployWishes = [
  "replicas",
  "alias",
  "version",
  "dedicated",
  "device",
  "keepWarm",
  "onDemand",
  "resident",
] as const satisfies readonly (keyof DeployOptions)[];

/** A table of deployments for `aimass status`. */
export function deploymentTable(deployments: readonly Deployment[]): string[] {
  return table(
    ["MODEL", "ALIASES", "VERSIONS", "STATUS"],
    deployments.map((d) => [
      modelName(d.spec?.project ?? "", d.spec?.model ?? ""),
      (d.status?.aliases ?? [])
        .map((a) =>
          a.wantedVersion === a.servedVersion
            ? `${a.alias}→${a.servedVersion}`
            : `${a.alias}→${a.servedVersion || "-"} (wants ${a.wantedVersion})`,
        )
        .join(" "),
      (d.status?.versions ?? [])
        .map((v) => `v${v.version} ${enumName(RolloutPhase, v.phase).toLowerCase()} ×${v.replicaIds.length}`)
        .join(", "),
      d.status?.summary ?? "",
    ]),
  );
}

/** A deployment as it is now; undefined where the model is not deployed. */
export async function currentDeployment(
  connection: Connection,
  project: string,
  model: string,
): Promise<Deployment | undefined> {
  try {
    return (await connection.client(DeploymentService).getDeployment({ project, model })).deployment;
  } catch (error) {
    if (ConnectError.from(error).code === Code.NotFound) return undefined;
    throw error;
  }
}

/** The fields of a spec without the message's own properties, to be overlaid with new wishes. */
function plain(spec: DeploymentSpec | undefined): MessageInitShape<typeof DeploymentSpecSchema> {
  if (spec === undefined) return {};
  const { $typeName: _name, $unknown: _unknown, ...fields } = spec;
  return fields;
}

function specOf(project: string, model: string, o: DeployOptions): Wishes {
  return {
    project,
    model,
    ...(o.replicas === undefined ? {} : { replicas: wholeNumber("--replicas", o.replicas, 1) }),
    ...(o.alias === undefined ? {} : { aliases: o.alias }),
    ...(o.version === undefined
      ? {}
      : { versions: o.version.flatMap((v) => (v === "none" ? [] : [BigInt(count("--version", v))])) }),
    ...(o.dedicated === undefined ? {} : { sharing: Sharing.DEDICATED }),
    ...(o.device === undefined ? {} : { deviceKind: o.device }),
    ...loadingOf(o),
    ...(o.keepWarm === undefined ? {} : { keepWarm: count("--keep-warm", o.keepWarm) }),
  };
}

function loadingOf({ onDemand = false, resident = false }: DeployOptions): { loading?: Loading } {
  if (onDemand && resident) {
    throw new AimassError("INVALID_ARGUMENT", "--on-demand and --resident exclude each other.", {
      remedy: "Give one of them.",
    });
  }
  if (!onDemand && !resident) return {};
  return { loading: onDemand ? Loading.ON_DEMAND : Loading.RESIDENT };
}

function count(option: string, text: string): number {
  if (!/^\d{1,6}$/.test(text))
    throw new AimassError("INVALID_ARGUMENT", `${option} is "${text}".`, { remedy: "Give a whole number." });
  return Number(text);
}
