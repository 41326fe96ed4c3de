import {
  type AliasStatus,
  type Deployment,
  DeploymentService,
  type DeploymentStatus,
  RolloutPhase,
} from "@aimass/api/scheduler";
import { AimassError, deadlineSignal } from "@aimass/core";
import { Code, ConnectError } from "@connectrpc/connect";
import { enumName, modelName } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import type { Connection } from "./connection.ts";
import { type ExpectedAlias, untilRouted } from "./until-routed.ts";

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
