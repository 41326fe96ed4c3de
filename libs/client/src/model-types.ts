import { ColumnKind, type Signature, type TensorSpec } from "@aimass/api/registry";

/** As many words make a readable union. */
const mostWords = 30;

/**
 * TypeScript for a model's rows and predictions, as `Mesh.model<…>` takes it: types `NameRow` and `NamePrediction`, and `Name`, which has both. `model` and
 * `version` go into the comment.
 */
export function modelTypes({ inputs, outputs, batchable }: Signature, model: string, version: bigint): string {
  const name = typeName(model);
  const isTable = inputs.length > 1 || inputs[0]?.column !== undefined;
  const row = isTable ? objectOf(inputs.map(propertyOf)) : inputValue(inputs[0]);
  const isByRow = batchable || sharesAxis0([...inputs, ...outputs]);
  const prediction = outputs.length === 1 || !isByRow ? outputValue(outputs[0]) : objectOf(outputs.map(outputProperty));
  return [
    `// Of ${model} version ${version}, by \`aimass models types\`.`,
    `export type ${name}Row = ${row};`,
    "",
    `export type ${name}Prediction = ${prediction};`,
    "",
    `export interface ${name} {\n  readonly row: ${name}Row;\n  readonly prediction: ${name}Prediction;\n}`,
    "",
  ].join("\n");
}

function propertyOf(spec: TensorSpec): string {
  const mayLack = spec.optional || !/^U?INT|^BOOL$/.test(spec.datatype);
  const unit = spec.column?.unit ? `  /** In ${spec.column.unit.replaceAll("*/", "* /")}. */\n` : "";
  return `${unit}  readonly ${quoted(spec.name)}${mayLack ? "?" : ""}: ${inputValue(spec)}${mayLack ? " | null" : ""};`;
}

function outputProperty(spec: TensorSpec, _: number, outputs: readonly TensorSpec[]): string {
  const classes =
    spec.labels.length > 0
      ? `  /** By class: ${spec.labels.slice(0, mostWords).join(", ").replaceAll("*/", "* /")}. */\n`
      : "";
  return `${classes}  readonly ${quoted(spec.name)}: ${labelValue(spec, outputs)};`;
}

/** An axis of length 1 stays in an answer. */
function outputValue(spec: TensorSpec | undefined): string {
  return nested(elementOf(spec?.datatype ?? ""), spec?.shape.slice(1) ?? []);
}

function inputValue(spec: TensorSpec | undefined): string {
  if (spec === undefined) return "unknown";
  const axes = spec.shape.slice(1);
  return nested(columnValue(spec) ?? elementOf(spec.datatype), axes.length === 1 && axes[0] === 1n ? [] : axes);
}

function columnValue({ column }: TensorSpec): string | undefined {
  switch (column?.kind) {
    case ColumnKind.NUMBER:
      return "number";
    case ColumnKind.BOOLEAN:
      return "boolean";
    case ColumnKind.TEXT:
    case ColumnKind.DATE:
    case ColumnKind.DATETIME:
      return "string";
    case ColumnKind.CATEGORY:
      return wordsOf(column.categories);
    default:
      return undefined;
  }
}

/** A label is one of the classes that a scores' output names. */
function labelValue(spec: TensorSpec, outputs: readonly TensorSpec[]): string {
  const scores = outputs.filter(({ labels }) => labels.length > 0);
  const labels = scores.length === 1 ? (scores[0]?.labels ?? []) : [];
  const isLabel = spec.datatype === "BYTES" && spec.shape.length === 1;
  if (!isLabel || labels.length === 0 || labels.length > mostWords) return outputValue(spec);
  return labels.map((label) => JSON.stringify(label)).join(" | ");
}

/** The words of training, and any other: a model takes words it has not seen. */
function wordsOf(categories: readonly string[]): string {
  if (categories.length === 0 || categories.length > mostWords) return "string";
  return `${categories.map((word) => JSON.stringify(word)).join(" | ")} | (string & {})`;
}

function elementOf(datatype: string): string {
  if (datatype === "BYTES") return "string";
  return datatype === "BOOL" ? "boolean" : "number";
}

function nested(element: string, axes: readonly bigint[]): string {
  return axes.reduce((inner) => (/[ |]/.test(inner) ? `readonly (${inner})[]` : `readonly ${inner}[]`), element);
}

function objectOf(properties: readonly string[]): string {
  return properties.length === 0 ? "Readonly<Record<string, never>>" : `{\n${properties.join("\n")}\n}`;
}

function quoted(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

/** "risk.card-fraud" is RiskCardFraud. */
function typeName(model: string): string {
  const words = model.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  return /^[A-Za-z]/.test(name) ? name : `Model${name}`;
}

function sharesAxis0(specs: readonly TensorSpec[]): boolean {
  const names = new Set(specs.filter(({ optional }) => !optional).map(({ axisNames }) => axisNames[0] ?? ""));
  return names.size === 1 && !names.has("");
}
