import { createHash } from "node:crypto";
import type { BundleFile } from "@aimass/api/registry";
import { compareUtf8 } from "@aimass/identity";
import { invalid, shorten } from "../names.ts";

/** One file of a bundle: a path and the artifact it is. */
export interface BundleEntry {
  readonly path: string;
  /** 64 hex digits. */
  readonly sha256: string;
}

/** A file as a request lists it. */
export type ListedFile = Pick<BundleFile, "path" | "sha256" | "sizeBytes">;

/** The graph of every bundle. */
const graphPath = "model.onnx";
/** What a bundle may say of itself. */
export const manifestPath = "model.yaml";

const maxFiles = 1000;
const segmentPattern = /^[^\p{C}/\\:*?"<>|]{1,255}$/u;

/**
 * A bundle as a request lists it, ordered by path. Errors: INVALID_ARGUMENT for a path that is not plain and relative, one that comes twice (also in
 * another case, because some file systems make one of the two), a file that is also a folder, no graph, too many files.
 */
export function readBundle(files: readonly ListedFile[]): readonly BundleEntry[] {
  const entries = readFiles(files, "files");
  assertNothingHidden(files);
  if (entries.some((entry) => entry.path === graphPath)) return entries;
  throw invalid("files", `The bundle has no file "${graphPath}".`, `Name the ONNX graph "${graphPath}".`);
}

/** Files as a request lists them in a field, ordered by path. Errors: as `readBundle`, but for the graph. */
export function readFiles(files: readonly ListedFile[], field: string): readonly BundleEntry[] {
  if (files.length > maxFiles) throw invalid(field, `There are ${files.length} files.`, `At most ${maxFiles} fit.`);
  const entries = files.map((file, index) => {
    assertPath(file.path, `${field}[${index}].path`);
    if (file.sha256.length !== 32) {
      throw invalid(
        `${field}[${index}].sha256`,
        `The digest of "${file.path}" has ${file.sha256.length} bytes.`,
        "A SHA-256 digest has 32.",
      );
    }
    return { path: file.path, sha256: Buffer.from(file.sha256).toString("hex") };
  });
  const ordered = entries.sort((left, right) => compareUtf8(left.path, right.path));
  assertDistinct(ordered, field);
  return ordered;
}

/** SHA-256 over the sorted "path ‖ 0x00 ‖ file digest" of all files: 32 bytes. */
export function bundleDigest(ordered: readonly BundleEntry[]): Buffer {
  const hash = createHash("sha256");
  for (const { path, sha256 } of ordered) hash.update(path).update("\0").update(Buffer.from(sha256, "hex"));
  return hash.digest();
}

/** Hidden files and what looks like options are no parts of a model, and whoever fetches one into a folder does not expect them. */
function assertNothingHidden(files: readonly ListedFile[]): void {
  for (const [index, { path }] of files.entries()) {
    if (!path.split("/").some((segment) => /^[.-]/.test(segment))) continue;
    const remedy = 'No part of a path in a bundle begins with "." or "-".';
    throw invalid(`files[${index}].path`, `"${shorten(path)}" cannot be a path in a bundle.`, remedy);
  }
}

function assertPath(path: string, field: string): void {
  const segments = path.split("/");
  const plain = segments.every((s) => segmentPattern.test(s) && s !== "." && s !== ".." && s.trim() === s);
  if (plain && path.length <= 1024 && segments.length <= 16) return;
  throw invalid(
    field,
    `"${shorten(path)}" cannot be a path in a bundle.`,
    'Paths are relative, with "/" between plain names, without "." and "..".',
  );
}

function assertDistinct(entries: readonly BundleEntry[], field: string): void {
  const seen = new Set<string>();
  for (const { path } of entries) {
    const folded = path.normalize("NFC").toLowerCase();
    if (seen.has(folded))
      throw invalid(field, `The path "${path}" comes twice.`, "Every file of a bundle has a path of its own.");
    seen.add(folded);
  }
  for (const path of seen) {
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      if (!seen.has(path.slice(0, slash))) continue;
      throw invalid(field, `"${path.slice(0, slash)}" is a file and a folder at once.`, "Rename one of them.");
    }
  }
}
