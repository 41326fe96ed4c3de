/** Where the bytes of a bundle's files come from. */
export interface ArtifactSource {
  /** The artifact's bytes from `offset` on, in pieces. Throws UNAVAILABLE when the source cannot be reached, NOT_FOUND when it has no such artifact. */
  read(sha256: Uint8Array, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}
