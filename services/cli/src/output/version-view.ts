import { type Version, VersionState } from "@aimass/api/registry";
import { bytes, classes, columns, enumName, modelName, signature, time } from "./format.ts";

/** A version, whole, for a person. */
export function describeVersion(v: Version): string[] {
  const lineage = v.lineage;
  return [
    `${modelName(v.project, v.model)} v${v.version}: ${enumName(VersionState, v.state)}${v.stateReason ? ` (${v.stateReason})` : ""}`,
    ...(v.description === "" ? [] : [v.description]),
    `signature  ${signature(v.signature)}`,
    ...columns(v.signature).map((line, i) => `${i === 0 ? "columns   " : "          "} ${line}`),
    ...classes(v.signature).map((line, i) => `${i === 0 ? "classes   " : "          "} ${line}`),
    ...(v.signature?.adaptations ?? []).map((line, i) => `${i === 0 ? "adapted   " : "          "} ${line}`),
    `batches    ${batching(v)}`,
    `opsets     ${Object.entries(v.signature?.opsets ?? {})
      .map(([domain, n]) => `${domain || "ai.onnx"} ${n}`)
      .join(", ")}`,
    `files      ${v.files.map((f) => `${f.path} (${bytes(f.sizeBytes)})`).join(", ")}`,
    `created    ${time(v.createdAt)} by ${v.createdBy}`,
    ...(Object.keys(v.metrics).length === 0 ? [] : [`metrics    ${metrics(v.metrics)}${claimed(v)}`]),
    ...(lineage === undefined
      ? []
      : [
          `lineage    ${lineage.recipe} on ${lineage.dataset} v${lineage.datasetVersion}, ${lineage.jobId === "" ? "by hand" : `job ${lineage.jobId}`}${claimed(v)}`,
          `           split ${lineage.split}; parameters ${lineage.parametersJson}`,
        ]),
  ];
}

/** Whether requests share runs, and why. */
function batching({ signature, serving }: Version): string {
  const yes = signature?.batchable ? `up to ${serving?.maxBatchSize || 32}` : "no";
  const reason = signature?.batching?.reason ?? "";
  return reason === "" ? yes : `${yes}: ${reason}`;
}

/** A version as JSON, its state by name. */
export function versionView(v: Version): object {
  return { ...v, state: enumName(VersionState, v.state) };
}

/** Metrics in one line, with four digits. */
export function metrics(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(", ");
}

/** Says that what was shown is the uploader's word. */
export function claimed(v: Version): string {
  return v.claimed ? " (claimed by the uploader)" : "";
}
