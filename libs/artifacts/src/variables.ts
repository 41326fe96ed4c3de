import { ConfigError, type Variables } from "@aimass/core";
import { type ArtifactLocation, parseArtifactLocation } from "./location.ts";

/** What the environment says of the artifact storage, as it stands there. */
export interface ArtifactVariables {
  /** Undefined: whoever reads has a place of its own, or none. */
  readonly place: string | undefined;
  readonly accessKeyId: string | undefined;
  /** "": none. */
  readonly secretAccessKey: string;
}

/** Reads the variables of the artifact storage, which are the same in every service that uses it. */
export function readArtifactVariables(v: Variables): ArtifactVariables {
  return {
    place: v.optional("AIMASS_ARTIFACTS"),
    accessKeyId: v.optional("AIMASS_S3_ACCESS_KEY_ID"),
    secretAccessKey: v.secret("AIMASS_S3_SECRET_ACCESS_KEY", ""),
  };
}

/**
 * The storage at a place, with the credentials of the variables; undefined where there is none. Errors: ConfigError, also for credentials without a
 * bucket, which was then meant and would not be used.
 */
export function locateArtifacts(place: string, variables: ArtifactVariables): ArtifactLocation;
export function locateArtifacts(place: string | undefined, variables: ArtifactVariables): ArtifactLocation | undefined;
export function locateArtifacts(place: string | undefined, variables: ArtifactVariables): ArtifactLocation | undefined {
  const { accessKeyId, secretAccessKey } = variables;
  if ((accessKeyId === undefined) !== (secretAccessKey === "")) {
    throw new ConfigError([
      "AIMASS_S3_ACCESS_KEY_ID and AIMASS_S3_SECRET_ACCESS_KEY belong together; set both or none.",
    ]);
  }
  if (accessKeyId !== undefined && !variables.place?.startsWith("s3:")) {
    throw new ConfigError([
      "AIMASS_S3_ACCESS_KEY_ID is set, but AIMASS_ARTIFACTS names no bucket; set it to s3://bucket, or leave the credentials out.",
    ]);
  }
  if (place === undefined) return undefined;
  const location = parseArtifactLocation(place);
  if (location === undefined) {
    throw new ConfigError([
      `AIMASS_ARTIFACTS is "${place}"; it must look like file:///var/lib/aimass/artifacts or s3://bucket/prefix?endpoint=http://host:9000&region=us-east-1.`,
    ]);
  }
  if (location.kind === "file" || accessKeyId === undefined) return location;
  return { ...location, credentials: { accessKeyId, secretAccessKey } };
}
