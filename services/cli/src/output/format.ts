import type { Signature, TensorSpec } from "@aimass/api/registry";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";

/** "2026-05-04 12:30:07" in local time; "-" for none. */
export function time(timestamp: Timestamp | undefined): string {
  if (timestamp === undefined) return "-";
  const date = timestampDate(timestamp);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19).replace("T", " ");
}

/** "2.4 MiB". */
export function bytes(count: number | bigint): string {
  let value = Number(count);
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1024) return `${unit === "B" ? value : value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

/** "x: FP32[-1,10]". */
export function tensor(spec: TensorSpec): string {
  return `${spec.name}: ${spec.datatype}[${spec.shape.join(",")}]${spec.optional ? "?" : ""}`;
}

/** "(x: FP32[-1,10]) → (y: FP32[-1,1])". */
export function signature(value: Signature | undefined): string {
  if (value === undefined) return "";
  return `(${value.inputs.map(tensor).join(", ")}) → (${value.outputs.map(tensor).join(", ")})`;
}

/** "fraud" in the default project, else "project.model". */
export function modelName(project: string, model: string): string {
  return project === "default" ? model : `${project}.${model}`;
}

/** The name of an enum value without its prefix: "READY". */
export function enumName(values: Record<number, string>, value: number): string {
  return values[value] ?? String(value);
}
