import { ModelService } from "@aimass/api/registry";
import type { DeploymentSpecSchema } from "@aimass/api/scheduler";
import {
  type Deployment,
  DeploymentService,
  type DeploymentSpec,
  type DeploymentStatus,
  Loading,
  RolloutPhase,
  Sharing,
} from "@aimass/api/scheduler";
import { AimassError, deadlineSignal } from "@aimass/core";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import type { Connection } from "../client/connection.ts";
import { bytes, enumName, modelName } from "../output/format.ts";
import { type Output, table } from "../output/output.ts";
import { action, modelArgument } from "./context.ts";

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
  readonly wait: boolean;
}

export function addDeploy(program: Command): void {
  program
    .command("deploy")
    .description("serve a model: which aliases and versions, on how many replicas")
    .argument("<model>")
    .option("-r, --replicas <n>", "replicas that hold each version")
    .option("-a, --alias <name...>", 'aliases to serve (default "default")')
    .option("-v, --version <n...>", "versions to serve beside them, by number")
    .option("--dedicated", "on replicas of its own")
    .option("--device <kind>", "cpu or gpu")
    .option("--keep-warm <n>", "earlier versions kept loaded for instant rollback")
    .option("--on-demand", "put aside when others need the memory, brought back by the next request")
    .option("--resident", "always in memory (the default)")
    .option("--dry-run", "only say whether it fits and what is short")
    .option("--delete", "end the deployment")
    .option("--no-wait", "do not wait until it serves")
    .action(
      action<DeployOptions>(async ({ connection, output }, options, [name]) => {
        const { project, model } = modelArgument(name as string);
        const client = connection.client(DeploymentService);
        if (options.delete) {
          await client.deleteDeployment({ project, model });
          output.result({ deleted: name }, () => `${name} is no longer deployed.`);
          return;
        }
        const current = await currentSpec(connection, project, model);
        const spec = { ...plain(current), ...specOf(project, model, options) };
        if (options.wait && !options.dryRun) await assertTarget(connection, { ...spec, project, model });
        const answer = await client.putDeployment({ spec, dryRun: options.dryRun ?? false });
        if (options.dryRun) {
          const plan = answer.plan;
          output.result(plan, () => [
            plan?.fits
              ? `It fits: ${bytes(plan.memoryBytesPerReplica)} of memory a replica, ${bytes(plan.diskBytesPerNode)} of disk a machine.`
              : "It does not fit:",
            ...(plan?.shortages ?? []).map((shortage) => `  ${shortage}`),
            ...(plan?.versions ?? []).map((v) => `  v${v.version} on ${v.replicaIds.join(", ")}`),
          ]);
          if (plan?.fits === false) process.exitCode = 1;
          return;
        }
        const summary = options.wait
          ? await waitUntilServed(connection, { project, model }, { output })
          : (answer.deployment?.status?.summary ?? "");
        output.result({ deployment: answer.deployment, summary }, () => summary || `${name} is being deployed.`);
        output.hint(`Next: aimass predict ${name} · aimass status`);
      }),
    );
}

/** Deploys with the given wishes and waits until it is served. Returns the summary sentence. */
export async function deployModel(
  connection: Connection,
  spec: MessageInitShape<typeof DeploymentSpecSchema> & { project: string; model: string },
  output?: Output,
): Promise<string> {
  await connection.client(DeploymentService).putDeployment({ spec });
  return (
    (await waitUntilServed(
      connection,
      { project: spec.project, model: spec.model },
      output === undefined ? {} : { output },
    )) ?? ""
  );
}

/** An alias that was just moved: the wait is over only when it is served by this version. */
export interface ExpectedAlias {
  readonly alias: string;
  readonly version: bigint;
}

/**
 * Waits until every alias of a deployed model is served by the version it points at, on as many replicas as there are for it. Returns the summary sentence;
 * undefined when the model is not deployed, or does not serve the expected alias.
 * Errors: FAILED_PRECONDITION with the rollout's own reason when it fails; DEADLINE_EXCEEDED.
 */
export async function waitUntilServed(
  connection: Connection,
  model: { project: string; model: string },
  options: { output?: Output; expected?: ExpectedAlias; timeoutMs?: number } = {},
): Promise<string | undefined> {
  const { output, expected, timeoutMs = 120_000 } = options;
  const name = modelName(model.project, model.model);
  const progress = output?.progress(`deploying ${name}`) ?? (() => {});
  // Leaving the loop does not end a Connect call, nor the timer of its own deadline: this signal does both jobs.
  using deadline = deadlineSignal(timeoutMs);
  try {
    const updates = connection
      .client(DeploymentService)
      .watchDeployment(model, { timeoutMs: 0, signal: deadline.signal });
    for await (const { deployment } of updates) {
      const { status, spec } = deployment as Deployment;
      if (status === undefined) continue;
      if (expected !== undefined && !servedAliases(spec?.aliases).includes(expected.alias)) return undefined;
      const served = isServed(status, spec?.versions ?? [], expected);
      progress(served ? 1 : 0.5, phases(status));
      if (served) return status.summary;
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

/** Errors: FAILED_PRECONDITION when a wanted version has failed. */
function isServed(status: DeploymentStatus, versions: readonly bigint[], expected: ExpectedAlias | undefined): boolean {
  const seen =
    expected === undefined ||
    status.aliases.some((a) => a.alias === expected.alias && a.wantedVersion === expected.version);
  // One that points at no version yet is not waited for.
  const aliases = status.aliases.filter(({ wantedVersion }) => wantedVersion !== 0n);
  const wanted = new Set([...aliases.map((alias) => alias.wantedVersion), ...versions]);
  if (!seen || wanted.size === 0) return false;
  const phaseOf = (version: bigint) => status.versions.find((v) => v.version === version);
  for (const version of wanted) {
    const at = phaseOf(version);
    if (at?.phase === RolloutPhase.FAILED) {
      throw new AimassError("FAILED_PRECONDITION", `v${version} does not serve: ${at.reason}`, {
        remedy: "What served before serves on.",
      });
    }
  }
  const shifted = aliases.every((alias) => alias.servedVersion === alias.wantedVersion);
  return shifted && [...wanted].every((version) => phaseOf(version)?.phase === RolloutPhase.SERVING);
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

/**
 * A deployment may wait for an alias to come; a person who waits for the deployment wants to be told. Errors: FAILED_PRECONDITION when nothing that it
 * names exists. What the caller may not see is left to the scheduler to judge.
 */
async function assertTarget(
  connection: Connection,
  {
    project,
    model,
    aliases,
    versions = [],
  }: MessageInitShape<typeof DeploymentSpecSchema> & { project: string; model: string },
): Promise<void> {
  if (versions.length > 0) return;
  const found = await connection
    .client(ModelService)
    .getModel({ project, name: model })
    .catch(() => undefined);
  if (found?.model === undefined) return;
  const wanted = servedAliases(aliases);
  if (found.model.aliases.some(({ name }) => wanted.includes(name))) return;
  const name = modelName(project, model);
  throw new AimassError("FAILED_PRECONDITION", `${name} has no alias "${wanted.join('", "')}" to serve.`, {
    remedy: `Point one at a version with \`aimass models alias ${name} ${wanted[0]} VERSION\`, or name a version with --version.`,
  });
}

async function currentSpec(
  connection: Connection,
  project: string,
  model: string,
): Promise<DeploymentSpec | undefined> {
  try {
    return (await connection.client(DeploymentService).getDeployment({ project, model })).deployment?.spec;
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

function specOf(project: string, model: string, o: DeployOptions): MessageInitShape<typeof DeploymentSpecSchema> {
  return {
    project,
    model,
    ...(o.replicas === undefined ? {} : { replicas: count("--replicas", o.replicas) }),
    ...(o.alias === undefined ? {} : { aliases: o.alias }),
    ...(o.version === undefined ? {} : { versions: o.version.map((v) => BigInt(count("--version", v))) }),
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
