import { createHash } from "node:crypto";
import type { BundleFile, Lineage, Version } from "@aimass/api/registry";
import { compareSignatures } from "@aimass/onnx";

/** How two versions differ. */
export interface VersionDiff {
  /** One difference a line, in words. */
  readonly differences: string[];
  /** True when a client of the left can call the right unchanged. */
  readonly compatible: boolean;
}

const lineageFields = [
  "jobId",
  "recipe",
  "dataset",
  "datasetVersion",
  "split",
  "parametersJson",
] as const satisfies readonly (keyof Lineage)[];

/** Too long for a line: shown by their digests. */
const longFields = ["featurePlanJson", "howJson"] as const satisfies readonly (keyof Lineage)[];

/** Compares signature, metrics, lineage with its code, and files, in this order. */
export function diffVersions(left: Version, right: Version): VersionDiff {
  const none = { inputs: [], outputs: [] };
  const { differences, compatible } = compareSignatures(left.signature ?? none, right.signature ?? none);
  return {
    differences: [
      ...differences,
      ...diffMaps("metric", mapOf(left.metrics), mapOf(right.metrics)),
      ...diffMaps("lineage", lineageOf(left.lineage), lineageOf(right.lineage)),
      ...diffMaps("code", filesOf(left.lineage?.code), filesOf(right.lineage?.code)),
      ...diffMaps("file", filesOf(left.files), filesOf(right.files)),
    ],
    compatible,
  };
}

function diffMaps(kind: string, left: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>): string[] {
  const keys = [...new Set([...left.keys(), ...right.keys()])].sort();
  return keys
    .filter((key) => left.get(key) !== right.get(key))
    .map((key) => `${kind} ${key}: ${left.get(key) ?? "none"} → ${right.get(key) ?? "none"}`);
}

function mapOf(values: Readonly<Record<string, number>>): Map<string, string> {
  return new Map(Object.entries(values).map(([key, value]) => [key, String(value)]));
}

function lineageOf(lineage: Lineage | undefined): Map<string, string> {
  const short = lineageFields.map((field) => [field, String(lineage?.[field] ?? "")] as const);
  const long = longFields.map((field) => [field, digestOf(lineage?.[field] ?? "")] as const);
  return new Map([...short, ...long].filter(([, value]) => value !== "" && value !== "0"));
}

function digestOf(text: string): string {
  return text === "" ? "" : createHash("sha256").update(text).digest("hex").slice(0, 12);
}

function filesOf(files: readonly BundleFile[] = []): Map<string, string> {
  return new Map(
    files.map(({ path, sha256, sizeBytes }) => [
      path,
      `${Buffer.from(sha256).toString("hex").slice(0, 12)} (${sizeBytes} bytes)`,
    ]),
  );
}
