import type { UploadSource } from "../client/upload.ts";

/** One file of a bundle: its path there, and its bytes here. */
export interface LocalFile {
  readonly path: string;
  readonly source: UploadSource;
}

/** Files that become one version. */
export interface LocalBundle {
  readonly files: readonly LocalFile[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly description?: string;
}

/** A model as it lies on this machine: what it was recognised as, and its versions, oldest first. */
export interface LocalModel {
  /** One line for people. */
  readonly told: string;
  /** What it calls itself, where it does. */
  readonly name?: string;
  readonly versions: readonly [LocalBundle, ...LocalBundle[]];
  /** Which of them is to serve, by its place; the last when it is left out. */
  readonly serves?: number;
  /** What of its settings means nothing here, each in a line. */
  readonly left: readonly string[];
}

/** Bytes in memory. */
export function bytesSource(bytes: Uint8Array): UploadSource {
  return {
    sizeBytes: bytes.length,
    async *read(start) {
      if (start < bytes.length) yield bytes.subarray(start);
    },
  };
}

const segmentPattern = /^(?![.-])[^\p{C}/\\:*?"<>|]{1,255}$/u;

/** Whether the registry takes this path in a bundle. */
export function isBundlePath(path: string): boolean {
  const segments = path.split("/");
  const plain = segments.every((segment) => segmentPattern.test(segment) && segment.trim() === segment);
  return plain && path.length <= 1024 && segments.length <= 16;
}

/** Two paths with one key are one file on some machines. */
export const pathKey = (path: string): string => path.normalize("NFC").toLowerCase();
