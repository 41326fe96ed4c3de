import { type DeploymentSpec, DeploymentSpecSchema, Loading, Sharing } from "@aimass/api/scheduler";
import { AimassError } from "@aimass/core";
import { isModelName } from "@aimass/identity";
import { create } from "@bufbuild/protobuf";
import { readModelName } from "../names.ts";
import type { DesiredDeployment } from "../reconcile/snapshot.ts";

const maxReplicas = 1000;
const maxWarm = 16;
const maxNames = 64;

/** The spec with every default filled in and lists in order, so that equal wishes are equal. Throws INVALID_ARGUMENT with the field. */
export function normaliseSpec(spec: DeploymentSpec | undefined): DeploymentSpec {
  if (spec === undefined) throw invalid("spec", "The request has no spec.", "Name at least the model.");
  const { project, model } = readModelName(spec, "spec.");
  const aliases = [...new Set(spec.aliases.length === 0 ? ["default"] : spec.aliases)].sort();
  const versions = [...new Set(spec.versions)].sort((a, b) => Number(a - b));
  checkAliases(aliases);
  const tooOdd = versions.find((version) => version < 1n || version > BigInt(Number.MAX_SAFE_INTEGER));
  if (tooOdd !== undefined) throw invalid("spec.versions", `${tooOdd} is not a version.`, "Versions are 1, 2, 3 …");
  if (aliases.length + versions.length > maxNames) {
    throw invalid(
      "spec.aliases",
      `The spec names ${aliases.length + versions.length} aliases and versions.`,
      `At most ${maxNames} fit.`,
    );
  }
  const replicas = within("spec.replicas", spec.replicas === 0 ? 1 : spec.replicas, 1, maxReplicas);
  const keepWarm = within("spec.keep_warm", spec.keepWarm ?? 1, 0, maxWarm);
  if (!["", "cpu", "gpu"].includes(spec.deviceKind)) {
    throw invalid("spec.device_kind", `There is no device kind "${spec.deviceKind}".`, 'It is "cpu", "gpu" or empty.');
  }
  const sharing = spec.sharing === Sharing.DEDICATED ? Sharing.DEDICATED : Sharing.SHARED;
  const loading = spec.loading === Loading.ON_DEMAND ? Loading.ON_DEMAND : Loading.RESIDENT;
  return create(DeploymentSpecSchema, {
    project,
    model,
    aliases,
    versions,
    replicas,
    sharing,
    deviceKind: spec.deviceKind,
    keepWarm,
    loading,
    paused: spec.paused,
  });
}

/** A stored spec as the policy sees it. */
export function desiredFromSpec(spec: DeploymentSpec): DesiredDeployment {
  const { project, model, aliases, replicas, deviceKind } = spec;
  return {
    key: `${project}.${model}`,
    project,
    model,
    aliases,
    versions: spec.versions.map(Number),
    replicas,
    dedicated: spec.sharing === Sharing.DEDICATED,
    deviceKind,
    keepWarm: spec.keepWarm ?? 1,
    onDemand: spec.loading === Loading.ON_DEMAND,
    paused: spec.paused,
  };
}

function checkAliases(aliases: readonly string[]): void {
  for (const alias of aliases) {
    if (!isModelName(alias) || /^\d+$/.test(alias)) {
      throw invalid(
        "spec.aliases",
        `"${alias}" is not the name of an alias.`,
        "Versions go into `versions`; an alias is never all digits.",
      );
    }
  }
}

function within(field: string, value: number, minimum: number, maximum: number): number {
  if (value >= minimum && value <= maximum) return value;
  throw invalid(field, `${field} is ${value}.`, `It must be from ${minimum} to ${maximum}.`);
}

function invalid(field: string, message: string, remedy: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, { field, remedy });
}
