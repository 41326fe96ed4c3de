import { createHash } from "node:crypto";
import { type ServableModel, ServableModelSchema, type Version, VersionState } from "@aimass/api/registry";
import { clone, create, toBinary } from "@bufbuild/protobuf";
import type { LibraryModel, LibraryVersion } from "../reconcile/snapshot.ts";

const views = new WeakMap<ServableModel, LibraryModel>();

/** The policy's view of a library model; the same for the same object. */
export function toLibraryModel(model: ServableModel): LibraryModel {
  const view = views.get(model) ?? viewOf(model);
  views.set(model, view);
  return view;
}

function viewOf(model: ServableModel): LibraryModel {
  return {
    aliases: new Map(model.aliases.map((alias) => [alias.name, Number(alias.version)])),
    versions: new Map(model.versions.map((version) => [Number(version.version), toLibraryVersion(version)])),
  };
}

function toLibraryVersion(version: Version): LibraryVersion {
  const diskBytes = version.files.reduce((sum, file) => sum + Number(file.sizeBytes), 0);
  const instances = Math.max(1, version.serving?.instances ?? 1);
  const measured = Number(version.signature?.memoryBytes ?? 0n);
  return {
    version: Number(version.version),
    servable: version.state !== VersionState.RETIRED,
    // A version without a measurement is taken to need what its files weigh.
    memoryBytes: (measured > 0 ? measured : diskBytes) * instances,
    diskBytes,
    runLimitMs: version.serving?.runLimitMs ?? 0,
    threads: (version.serving?.intraOpThreads ?? 0) * instances,
  };
}

/**
 * What the scheduler keeps of a model: what the library says, and, marked RETIRED, the versions it no longer lists but replicas still hold.
 * They must be assigned until they have drained.
 */
export function retainHeld(
  fresh: ServableModel | undefined,
  kept: ServableModel | undefined,
  isHeld: (version: number) => boolean,
): ServableModel | undefined {
  const listed = new Set(fresh?.versions.map((version) => version.version));
  const held = (kept?.versions ?? []).filter((v) => !listed.has(v.version) && isHeld(Number(v.version)));
  if (held.length === 0) return fresh;
  const base = fresh ?? create(ServableModelSchema, { project: kept?.project ?? "", name: kept?.name ?? "" });
  const merged = clone(ServableModelSchema, base);
  merged.versions.push(...held.map((version) => ({ ...version, state: VersionState.RETIRED })));
  return merged;
}

/** Names the content of a model. Maps are written in no fixed order, so two digests may differ for equal models: that costs one write. */
export function digestOfModel(model: ServableModel): string {
  return createHash("sha256").update(toBinary(ServableModelSchema, model)).digest("hex");
}
