import { type Column, ColumnType, DatasetFormat, type DatasetVersion } from "@aimass/api/registry";
import { numberTable, short } from "../output/charts.ts";
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
      d.columns.map(describeColumn),
    ),
    ...d.warnings.map((warning) => `warning: ${warning}`),
  ];
}

function describeColumn(c: Column): string[] {
  const type = enumName(ColumnType, c.type).toLowerCase();
  const start = [c.name, c.looks === "" ? type : `${type}: ${c.looks}`, String(c.missing), String(c.distinct || "")];
  if (c.type === ColumnType.NUMBER)
    return [...start, short(c.minimum), short(c.mean), short(c.maximum), short(c.deviation), ""];
  const lengths = c.longest > 0n ? `${c.shortest} to ${c.longest} characters` : "";
  return [...start, "", "", "", "", frequentValues(c) || lengths];
}

function frequentValues({ frequent, looks }: Column): string {
  if (looks === "text") return "";
  return frequent
    .slice(0, shownValues)
    .map(({ value, count }) => `${value.length > 24 ? `${value.slice(0, 23)}…` : value} ${count}`)
    .join(", ");
}
