import { type Column, ColumnType, DatasetFormat, type DatasetVersion } from "@aimass/api/registry";
import { figure, numberTable } from "../output/charts.ts";
import { bytes, enumName, modelName } from "../output/format.ts";

const shownValues = 4;

/** A dataset's columns with their statistics and warnings. */
export function describeDataset(d: DatasetVersion): string[] {
  const format = enumName(DatasetFormat, d.format).toLowerCase().replace("_", " ");
  const source = d.source === "" ? "" : `; source: ${d.source}`;
  return [
    `${modelName(d.project, d.dataset)} v${d.version}: ${d.rows} rows, ${d.columns.length} columns, ${bytes(d.sizeBytes)} of ${format}${source}`,
    ...(d.description === "" ? [] : [d.description]),
    "",
    ...numberTable(
      ["COLUMN", "TYPE", "MISSING", "DIFFERENT", "MINIMUM", "MEAN", "MAXIMUM", "±", "MOST FREQUENT"],
      d.columns.map((column) => describeColumn(column, d.rows)),
    ),
    ...d.warnings.map((warning) => `warning: ${warning}`),
  ];
}

function describeColumn(c: Column, rows: bigint): string[] {
  const type = enumName(ColumnType, c.type).toLowerCase();
  const start = [c.name, c.looks === "" ? type : `${type}: ${c.looks}`, String(c.missing), different(c, rows)];
  if (c.type === ColumnType.NUMBER)
    return [...start, exact(c.minimum), figure(c.mean), exact(c.maximum), figure(c.deviation), ""];
  return [...start, "", "", "", "", frequentValues(c) || lengths(c)];
}

/** A number of the data, to its last digit. */
function exact(value: number): string {
  return Number.isFinite(value) ? String(value) : "-";
}

/** Above 1024 it is an estimate, which may be more than there are rows. */
function different({ distinct, missing }: Column, rows: bigint): string {
  if (distinct === 0n) return "";
  const most = rows - missing;
  return `${distinct > 1024n ? "≈" : ""}${distinct > most ? most : distinct}`;
}

function lengths({ shortest, longest }: Column): string {
  if (longest === 0n) return "";
  return shortest === longest ? `${longest} characters` : `${shortest} to ${longest} characters`;
}

function frequentValues({ frequent, looks }: Column): string {
  if (looks === "text") return "";
  return frequent
    .slice(0, shownValues)
    .map(({ value, count }) => `${value.length > 24 ? `${value.slice(0, 23)}…` : value} ${count}`)
    .join(", ");
}
