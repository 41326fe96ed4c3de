import type { DeploymentSpecSchema } from "@aimass/api/scheduler";
import {
  type AliasStatus,
  type Deployment,
  DeploymentService,
  type DeploymentSpec,
  type DeploymentStatus,
  Loading,
  type Plan,
  type PutDeploymentResponse,
  RolloutPhase,
  Sharing,
} from "@aimass/api/scheduler";
import { AimassError, deadlineSignal } from "@aimass/core";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import type { Connection } from "../client/connection.ts";
import { type ExpectedAlias, untilRouted } from "../client/until-routed.ts";
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

/**
 * Waits until every alias of a deployed model is served by the version it points at, and the router here knows, with `whole` on every replica the deployment wants, or on so many. Returns the summary sentence;
 * undefined when the model is not deployed, or does not serve an expected alias. Of a paused deployment only what its aliases serve already is waited for.
 * Errors: FAILED_PRECONDITION with the rollout's own reason when it fails; DEADLINE_EXCEEDED.
 */
export async function waitUntilServed(
  connection: Connection,
  model: { project: string; model: string },
  options: { output?: Output; expected?: readonly ExpectedAlias[]; timeoutMs?: number; whole?: number } = {},
): Promise<string | undefined> {
  const { output, expected = [], timeoutMs = 120_000, whole = 1 } = options;
  const name = modelName(model.project, model.model);
  const progress = output?.progress(`deploying ${name}`) ?? (() => {});
  // Leaving the loop does not end a Connect call, nor the timer of its own deadline: this signal does both jobs.
  using deadline = deadlineSignal(timeoutMs);
  const heard = new HeardAliases(expected);
  try {
    const updates = connection
      .client(DeploymentService)
      .watchDeployment(model, { timeoutMs: 0, signal: deadline.signal });
    for await (const { deployment } of updates) {
      const { status, spec } = deployment as Deployment;
      if (status === undefined) continue;
      const aliases = servedAliases(spec?.aliases);
      if (expected.some(({ alias }) => !aliases.includes(alias))) return undefined;
      const paused = spec?.paused ?? false;
      const replicas = Math.min(spec?.replicas ?? 1, whole);
      const served = heard.in(status) && isServed(status, { versions: spec?.versions ?? [], replicas, paused });
      progress(served ? 1 : 0.5, phases(status));
      if (served && paused) return `${name} is paused: it goes on with \`aimass deployments resume ${name}\`.`;
      if (!served) continue;
      const pointed = status.aliases.filter(({ servedVersion }) => servedVersion !== 0n);
      const routed = [
        ...pointed.map(({ alias, servedVersion }) => ({ alias, version: servedVersion })),
        ...(spec?.versions ?? []).map((version) => ({ alias: String(version), version })),
      ];
      await untilRouted(connection, name, { aliases: routed, signal: deadline.signal });
      return status.summary;
    }
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.NotFound) return undefined;
    if (!deadline.signal.aborted) throw error;
    throw new AimassError("DEADLINE_EXCEEDED", `${name} is not served after ${timeoutMs / 1000} s.`, {
      remedy: "See why with `aimass status`.",
    });
  } finally {
    deadline.abort();
  }
  return undefined;
}

/** Whether the scheduler has heard where aliases were pointed, or where somebody has pointed them since. */
class HeardAliases {
  readonly #expected: readonly ExpectedAlias[];
  readonly #first = new Map<string, bigint>();

  constructor(expected: readonly ExpectedAlias[]) {
    this.#expected = expected;
  }

  in(status: DeploymentStatus): boolean {
    const points = new Map(status.aliases.map(({ alias, wantedVersion }) => [alias, wantedVersion]));
    return this.#expected.every(({ alias, version }) => {
      const now = points.get(alias);
      if (now === undefined || now === version) return now === version;
      // What it pointed at first may be of the time before; a third version is of the time after.
      if (!this.#first.has(alias)) this.#first.set(alias, now);
      return now !== this.#first.get(alias);
    });
  }
}

/** Errors: FAILED_PRECONDITION when a wanted version has failed. */
function isServed(
  status: DeploymentStatus,
  { versions, replicas, paused }: { versions: readonly bigint[]; replicas: number; paused: boolean },
): boolean {
  // One that points at no version yet is not waited for, nor while it is paused one that serves none.
  const targetOf = (alias: AliasStatus) => (paused ? alias.servedVersion : alias.wantedVersion);
  const aliases = status.aliases.filter((alias) => targetOf(alias) !== 0n);
  const wanted = new Set([...aliases.map(targetOf), ...versions]);
  if (wanted.size === 0 && !paused) return false;
  const phaseOf = (version: bigint) => status.versions.find((v) => v.version === version);
  for (const version of wanted) {
    const at = phaseOf(version);
    if (at?.phase === RolloutPhase.FAILED) {
      throw new AimassError("FAILED_PRECONDITION", `v${version} does not serve: ${at.reason}`, {
        remedy: "What served before serves on.",
      });
    }
  }
  const shifted = aliases.every((alias) => alias.servedVersion === targetOf(alias));
  return (
    shifted &&
    [...wanted].every((version) => {
      const at = phaseOf(version);
      return at?.phase === RolloutPhase.SERVING && at.replicaIds.length >= replicas;
    })
  );
}

function servedAliases(named: readonly string[] = []): readonly string[] {
  return named.length === 0 ? ["default"] : named;
}

function phases(status: DeploymentStatus): string {
  return status.versions.map((v) => `v${v.version} ${enumName(RolloutPhase, v.phase).toLowerCase()}`).join(", ");
}

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
