import { ColumnKind, type Signature, type TensorSpec } from "@aimass/api/registry";
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

/** One line for each input that stands for a column of data: "smokes: boolean; missing: NA, ?; true: J; false: N". */
export function columns(value: Signature | undefined): string[] {
  return (value?.inputs ?? []).flatMap(({ name, column }) => {
    if (column === undefined) return [];
    const kind = column.kind === ColumnKind.UNSPECIFIED ? "any" : ColumnKind[column.kind].toLowerCase();
    const { missing, trueWords, falseWords, categories, unit } = column;
    const parts = [
      `${kind}${unit === "" ? "" : ` (${unit})`}`,
      ...listed("missing", missing),
      ...listed("true", trueWords),
      ...listed("false", falseWords),
      ...listed("categories", categories),
    ];
    return [`${name}: ${parts.join("; ")}`];
  });
}

/** One line for each output whose classes have names. */
export function classes(value: Signature | undefined): string[] {
  return (value?.outputs ?? []).flatMap(({ name, labels }) =>
    labels.length === 0 ? [] : [listed(name, labels).join("")],
  );
}

const shownWords = 12;

function listed(what: string, words: readonly string[]): string[] {
  if (words.length === 0) return [];
  const more = words.length > shownWords ? `, … ${words.length} in all` : "";
  return [`${what}: ${words.slice(0, shownWords).join(", ")}${more}`];
}

/** "fraud" in the default project, else "project.model". */
export function modelName(project: string, model: string): string {
  return project === "default" ? model : `${project}.${model}`;
}

/** The name of an enum value without its prefix: "READY". */
export function enumName(values: Record<number, string>, value: number): string {
  return values[value] ?? String(value);
}
