import type { Version } from "@aimass/api/registry";

/** Where the bytes of a bundle's files come from. */
export interface ArtifactSource {
  /**
   * The bytes of one of a version's files from `offset` on, in pieces. Throws UNAVAILABLE when the source cannot be reached, NOT_FOUND when it has no such artifact,
   * PERMISSION_DENIED when the version is not assigned to this machine (any more).
   */
  read(version: Version, sha256: Uint8Array, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}
