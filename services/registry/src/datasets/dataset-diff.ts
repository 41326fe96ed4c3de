import { type Column, ColumnType, DatasetFormat, type DatasetVersion, ReadOptionsSchema } from "@aimass/api/registry";
import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { inOneOrder } from "./read-options.ts";

/** How two versions of a dataset differ. */
export interface DatasetDiff {
  /** One difference a line, in words. */
  readonly differences: string[];
  /** True when every column of the left is in the right with the same type. */
  readonly compatible: boolean;
}

/** Compares rows, format, columns with their statistics, and how cells are read, in this order. */
export function diffDatasets(left: DatasetVersion, right: DatasetVersion): DatasetDiff {
  const before = new Map(left.columns.map((column) => [column.name, column]));
  const after = new Map(right.columns.map((column) => [column.name, column]));
  const names = [...new Set([...before.keys(), ...after.keys()])];
  const isKept = ({ name, type }: Column) => after.get(name)?.type === type;
  return {
    differences: [
      ...changed("rows", rowsOf(left), rowsOf(right)),
      ...changed("format", formatOf(left), formatOf(right)),
      ...names.flatMap((name) => diffColumn(name, before.get(name), after.get(name))),
      ...orderChange(left, right),
      ...readDifferences(left, right),
      ...changed("file", fileOf(left), fileOf(right)),
    ],
    compatible: left.columns.every(isKept),
  };
}

function diffColumn(name: string, left: Column | undefined, right: Column | undefined): string[] {
  if (left === undefined) return [`column ${name}: added, ${typeOf(right)}`];
  if (right === undefined) return [`column ${name}: removed, ${typeOf(left)}`];
  if (left.type !== right.type) return [`column ${name}: ${typeOf(left)} → ${typeOf(right)}`];
  const facts = [factsOf(left), factsOf(right)] as const;
  return Object.keys(facts[0]).flatMap((fact) =>
    changed(`column ${name}: ${fact}`, facts[0][fact] ?? "", facts[1][fact] ?? ""),
  );
}

/** What is compared of columns of one type. */
function factsOf(column: Column): Record<string, string> {
  const { missing, distinct, minimum, maximum, mean, deviation, shortest, longest, looks, frequent } = column;
  const common = {
    missing: String(missing),
    different: String(distinct),
    looks: looks || "nothing special",
    "dates written": column.datePattern || "as ISO 8601",
    "words for missing": column.missingWords.join(" ") || "the usual",
    from: column.element === undefined ? column.sourceName : `${column.sourceName}[${column.element}]`,
  };
  if (column.type === ColumnType.NUMBER)
    return {
      ...common,
      minimum: String(minimum),
      maximum: String(maximum),
      mean: figure(mean),
      deviation: figure(deviation),
    };
  return {
    ...common,
    length: `${shortest} to ${longest}`,
    "most frequent": frequent.map(({ value, count }) => `${value} ${count}`).join(", ") || "none",
  };
}

function changed(what: string, left: string, right: string): string[] {
  return left === right ? [] : [`${what}: ${left} → ${right}`];
}

/** The same columns in another order. */
function orderChange(left: DatasetVersion, right: DatasetVersion): string[] {
  const [before, after] = [left, right].map(({ columns }) => columns.map(({ name }) => name));
  const isSame = JSON.stringify(before) === JSON.stringify(after);
  const haveSame = JSON.stringify(before?.toSorted()) === JSON.stringify(after?.toSorted());
  return !isSame && haveSame ? [`order of columns: ${before?.join(", ")} → ${after?.join(", ")}`] : [];
}

function rowsOf({ rows }: DatasetVersion): string {
  return String(rows);
}

function formatOf({ format }: DatasetVersion): string {
  return DatasetFormat[format] ?? String(format);
}

function typeOf(column: Column | undefined): string {
  return (ColumnType[column?.type ?? 0] ?? "").toLowerCase();
}

/** Every option of reading that is not the same; the order of words, columns and names is none. */
function readDifferences(left: DatasetVersion, right: DatasetVersion): string[] {
  const [before, after] = [readOf(left), readOf(right)];
  const options = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return options.flatMap((option) => changed(`read ${option}`, before[option] ?? "usual", after[option] ?? "usual"));
}

function readOf({ read }: DatasetVersion): Record<string, string> {
  if (read === undefined) return { options: "as before they were kept" };
  const options = toJson(ReadOptionsSchema, inOneOrder(read), { useProtoFieldName: true }) as Record<string, JsonValue>;
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, JSON.stringify(value)]));
}

function fileOf({ sha256, sizeBytes }: DatasetVersion): string {
  return `${Buffer.from(sha256).toString("hex").slice(0, 12)} (${sizeBytes} bytes)`;
}

function figure(value: number): string {
  return String(Number(value.toPrecision(6)));
}
