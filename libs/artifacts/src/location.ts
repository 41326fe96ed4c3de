import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock } from "@aimass/core";
import type { ArtifactStore } from "./artifact-store.ts";
import { FileArtifactStore } from "./file-artifact-store.ts";
import { FileRecordStore } from "./file-record-store.ts";
import type { RecordStore } from "./record-store.ts";
import { S3ArtifactStore } from "./s3-artifact-store.ts";
import type { S3Location } from "./s3-bucket.ts";
import { S3RecordStore } from "./s3-record-store.ts";

/** Where artifacts are kept. */
export type ArtifactLocation =
  | { readonly kind: "file"; readonly directory: string }
  | ({ readonly kind: "s3" } & S3Location);

/**
 * Reads `file:///path` or `s3://bucket/prefix?endpoint=…&region=…`; undefined when the text is neither.
 * The endpoint is a URL of its own, for instance `http://minio:9000`.
 */
export function parseArtifactLocation(text: string): ArtifactLocation | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol === "file:") {
    return url.host === "" && url.pathname.length > 1 ? { kind: "file", directory: fileURLToPath(url) } : undefined;
  }
  if (url.protocol !== "s3:" || url.host === "") return undefined;
  const endpoint = url.searchParams.get("endpoint");
  const region = url.searchParams.get("region");
  if (endpoint !== null && !URL.canParse(endpoint)) return undefined;
  const prefix = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, "");
  return {
    kind: "s3",
    bucket: url.host,
    prefix: prefix === "" ? "" : `${prefix}/`,
    ...(endpoint === null ? {} : { endpoint }),
    ...(region === null ? {} : { region }),
  };
}

/** The store for a location. */
export async function openArtifactStore(options: {
  readonly location: ArtifactLocation;
  readonly clock: Clock;
  readonly uploadTtlMs?: number;
}): Promise<ArtifactStore> {
  const { location, ...rest } = options;
  if (location.kind === "file") return new FileArtifactStore({ directory: location.directory, ...rest });
  return S3ArtifactStore.open({ location, ...rest });
}

/** The records of one folder at a location, `folder` being a name as records have them; "" is the location itself. */
export async function openRecordStore(location: ArtifactLocation, folder: string): Promise<RecordStore> {
  if (location.kind === "file") return new FileRecordStore(join(location.directory, folder));
  return await S3RecordStore.open(location, folder);
}
