/** What is known of a stored artifact. */
export interface StoredArtifact {
  readonly sizeBytes: number;
}

/** A stored artifact as `list` gives it. */
export interface ListedArtifact extends StoredArtifact {
  /** 64 lower-case hex digits. */
  readonly sha256: string;
  /** When it was completed, in milliseconds since the epoch. */
  readonly storedAtMs: number;
}

/** What an upload will become. */
export interface UploadPlan {
  /** 64 lower-case hex digits. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Who uploads. Two owners of one digest have uploads of their own, so neither can spoil the other's. */
  readonly owner: string;
}

/** An upload that is open. */
export interface Upload extends UploadPlan {
  readonly id: string;
  /** Where the next byte goes. */
  readonly receivedBytes: number;
  /** When it is dropped if left alone, in milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

/** An artifact open for reading from anywhere. Dispose of it to close it. */
export interface OpenArtifact extends AsyncDisposable, StoredArtifact {
  /** Exactly the bytes [offset, offset + length), fewer only at the end. The caller owns them. */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** Where the artifact is a file of this machine, its open descriptor; it may be lent to a child process, and is closed with this. */
  readonly descriptor: number | undefined;
}

/**
 * Blobs by SHA-256. An artifact is there whole and verified, or not at all; it never changes. Safe for several processes over one storage.
 * Memory in use does not depend on the size of an artifact.
 */
export interface ArtifactStore {
  /** The artifact's size, or undefined when it is not here. */
  has(sha256: string): Promise<StoredArtifact | undefined>;
  /**
   * The bytes from `offset` (default 0) on, read as the consumer asks for them.
   * Errors, at the first read: NOT_FOUND, OUT_OF_RANGE (offset over the size).
   */
  read(sha256: string, offset?: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** For reading from anywhere, without a copy. What was opened stays readable after `remove` on a file system only. Errors: NOT_FOUND. */
  open(sha256: string): Promise<OpenArtifact>;
  /** Writes a private copy to a new file. Errors: NOT_FOUND, RESOURCE_EXHAUSTED (no room there). */
  copyTo(sha256: string, path: string, signal?: AbortSignal): Promise<void>;
  /** Removes an artifact; no error when it is not here. Readers that began keep what they read. */
  remove(sha256: string): Promise<void>;
  /** Every artifact, in no particular order. */
  list(signal?: AbortSignal): AsyncIterable<ListedArtifact>;

  /** Opens an upload or finds the one this owner has open for this digest. Errors: RESOURCE_EXHAUSTED (no room). */
  begin(plan: UploadPlan): Promise<Upload>;
  /** The open upload of this id. */
  findUpload(id: string): Promise<Upload | undefined>;
  /**
   * Adds bytes at the end of an upload; resolves, when they are written, to where the next byte goes.
   * Errors: NOT_FOUND, ABORTED (offset is not where the upload stands), INVALID_ARGUMENT (more bytes than announced),
   * RESOURCE_EXHAUSTED (no room; the upload is dropped).
   */
  append(id: string, offset: number, chunk: Uint8Array): Promise<number>;
  /**
   * Turns an upload that has all its bytes into the artifact. Errors: NOT_FOUND, FAILED_PRECONDITION (bytes are missing),
   * DATA_LOSS (the digest does not match; the upload is dropped).
   */
  finish(id: string): Promise<void>;
  /** Drops an upload; no error when there is none. */
  drop(id: string): Promise<void>;
  /** Drops the uploads left alone for longer than the time to live; resolves to how many. */
  dropExpired(): Promise<number>;
}
