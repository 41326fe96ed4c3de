import { type Version, VersionSchema, VersionState } from "@aimass/api/registry";
import { clearField, clone, fromJson, toJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Insertable, Selectable } from "kysely";
import type { Database, StateName } from "../database.ts";

export type VersionRow = Selectable<Database["version"]>;

/** The immutable parts of a version as they are stored; what has a column of its own stays empty. */
export function encodeBody(version: Version): Insertable<Database["version"]>["body"] {
  const body = clone(VersionSchema, version);
  for (const field of [
    "project",
    "model",
    "version",
    "state",
    "stateReason",
    "createdAt",
    "createdBy",
    "bundleDigest",
  ] as const) {
    clearField(body, VersionSchema.field[field]);
  }
  return JSON.stringify(toJson(VersionSchema, body));
}

/** A stored version as the API shows it. */
export function decodeVersion(row: VersionRow): Version {
  const version = fromJson(VersionSchema, row.body, { ignoreUnknownFields: true });
  version.project = row.project;
  version.model = row.model;
  version.version = BigInt(row.version);
  version.state = stateOf(row.state);
  version.stateReason = row.state_reason;
  version.createdAt = timestampFromDate(row.created_at);
  version.createdBy = row.created_by;
  version.bundleDigest = row.bundle_digest;
  return version;
}

function stateOf(name: StateName): VersionState {
  return VersionState[name];
}
