import { createHash } from "node:crypto";
import { AliasService, ModelService, type Version, VersionState } from "@aimass/api/registry";
import { compareUtf8, formatResource } from "@aimass/identity";
import { Code, ConnectError } from "@connectrpc/connect";
import type { LocalBundle, LocalModel } from "../bundles/local-bundle.ts";
import { allPages } from "../client/all-pages.ts";
import { pushBundle } from "../client/bundle.ts";
import type { Connection } from "../client/connection.ts";
import { assertMay } from "../client/own-rights.ts";
import type { Output } from "../output/output.ts";

/** How a model is brought. */
export interface ImportWishes {
  readonly project: string;
  readonly model: string;
  /** What points at the version that serves; undefined: nothing. */
  readonly alias: string | undefined;
  readonly description: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Only say what would be brought. */
  readonly dryRun: boolean;
}

/** What became of one version of a model. */
export interface ImportedVersion {
  readonly outcome: "brought" | "unchanged" | "would be brought";
  /** Undefined before it is made. */
  readonly version: bigint | undefined;
  readonly state: VersionState;
}

/** What became of a model. */
export interface ImportedModel {
  readonly versions: readonly ImportedVersion[];
  /** What the alias points at now, where it was to point at something and could. */
  readonly aliased: bigint | undefined;
}

/**
 * Brings the versions of a model that are not there yet, told by their content, and points the alias at the one that serves. What an import before brought is not made
 * again. Errors: as the registry refuses.
 */
export async function importModel(
  connection: Connection,
  output: Output,
  { model: found, wishes }: { model: LocalModel; wishes: ImportWishes },
): Promise<ImportedModel> {
  const { project, model, dryRun } = wishes;
  await assertMay(connection, "version.create", formatResource(project, model));
  const there = await versionsThere(connection, project, model);
  const versions: ImportedVersion[] = [];
  for (const bundle of found.versions) {
    const digest = await digestOf(bundle);
    const same = there.find((one) => Buffer.from(one.bundleDigest).equals(digest));
    if (same !== undefined) versions.push({ outcome: "unchanged", version: same.version, state: same.state });
    else if (dryRun)
      versions.push({ outcome: "would be brought", version: undefined, state: VersionState.UNSPECIFIED });
    else {
      const { description, labels } = wishes;
      const said = { ...(description === undefined ? {} : { description }), labels };
      const made = await pushBundle({ connection, output, project, model, bundle, ...said });
      versions.push({ outcome: "brought", version: made.version, state: made.state });
    }
  }
  const serves = versions.at(found.serves ?? -1);
  return { versions, aliased: dryRun ? undefined : await pointAlias(connection, wishes, serves) };
}

/** Versions that may serve now or later, newest first; none where there is no such model. */
async function versionsThere(connection: Connection, project: string, model: string): Promise<Version[]> {
  try {
    const all = await allPages(
      (page) => connection.client(ModelService).listVersions({ project, model, page }),
      (answer) => answer.versions,
    );
    return all.filter(({ state }) => state !== VersionState.RETIRED && state !== VersionState.REFUSED);
  } catch (error) {
    if (ConnectError.from(error).code === Code.NotFound) return [];
    throw error;
  }
}

/**
 * Points the alias at the version that serves. One that was there before gets an alias that there is not yet alone: since the import that brought it somebody may have
 * moved it on.
 */
async function pointAlias(
  connection: Connection,
  { project, model, alias }: ImportWishes,
  serves: ImportedVersion | undefined,
): Promise<bigint | undefined> {
  const version = serves?.version;
  if (alias === undefined || version === undefined || serves?.state !== VersionState.READY) return undefined;
  const request = { project, model, alias, version, reason: "aimass import" };
  if (serves.outcome !== "unchanged") await connection.client(AliasService).moveAlias(request);
  else if (!(await createAlias(connection, request))) return undefined;
  return version;
}

/** False when there is one of that name. */
async function createAlias(
  connection: Connection,
  request: { project: string; model: string; alias: string; version: bigint; reason: string },
): Promise<boolean> {
  try {
    await connection.client(AliasService).moveAlias({ ...request, expectedVersion: 0n });
    return true;
  } catch (error) {
    if (ConnectError.from(error).code === Code.Aborted) return false;
    throw error;
  }
}

/** The digest that the registry gives these files: SHA-256 over the sorted "path ‖ 0x00 ‖ file digest". */
async function digestOf({ files }: LocalBundle): Promise<Buffer> {
  const whole = createHash("sha256");
  for (const { path, source } of [...files].sort((left, right) => compareUtf8(left.path, right.path))) {
    const hash = createHash("sha256");
    for await (const chunk of source.read(0)) hash.update(chunk);
    whole.update(path).update("\0").update(hash.digest());
  }
  return whole.digest();
}
