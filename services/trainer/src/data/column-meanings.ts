import { ColumnKind, type ColumnMeaningSchema, type TensorSpec } from "@aimass/api/registry";
import { booleanWords, type ColumnProfile, columnKind, defaultMissing } from "@aimass/datasets";
import { declaredSignature, graphFileName, readModel } from "@aimass/onnx";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { TrainingFacts } from "./training-facts.ts";

type ColumnMeaning = MessageInitShape<typeof ColumnMeaningSchema>;

/** What the cells of a model's inputs mean, by name: as the dataset's were read. Inputs that are no columns have no meaning. */
export function columnMeanings(
  files: ReadonlyMap<string, Uint8Array>,
  { profiles, read }: Pick<TrainingFacts, "profiles" | "read">,
): Record<string, ColumnMeaning> {
  const graph = files.get(graphFileName);
  if (graph === undefined) return {};
  const { inputs } = declaredSignature(readModel(graph)).signature;
  const usual = read.schema.missing ?? defaultMissing;
  const { decimal = "", thousands = "" } = read.schema;
  const meanings = inputs.flatMap(({ name, datatype }) => {
    const profile = profiles.find((column) => column.name === name);
    if (profile === undefined) return [];
    const missing = [...new Set([...usual, ...(profile.missingWords ?? [])])].filter((word) => word !== "");
    const written = profile.type === "number" ? { decimal, thousands } : { datePattern: profile.dates ?? "" };
    return [[name, { missing, ...written, ...meaningOf(profile, datatype) }] as const];
  });
  return Object.fromEntries(meanings);
}

function meaningOf(profile: ColumnProfile, datatype: string): ColumnMeaning {
  if (profile.type === "image") return { kind: datatype === "UINT8" ? ColumnKind.IMAGE : ColumnKind.UNSPECIFIED };
  if (datatype === "BYTES") return textMeaning(profile);
  if (profile.type === "boolean") {
    return { kind: ColumnKind.BOOLEAN, trueWords: [...booleanWords.true], falseWords: [...booleanWords.false] };
  }
  if (profile.type === "number") return { kind: ColumnKind.NUMBER };
  const isMoment = profile.statistics.kind === "string" && profile.statistics.looks === "datetime";
  return { kind: isMoment ? ColumnKind.DATETIME : ColumnKind.DATE };
}

function textMeaning({ statistics, frequent }: ColumnProfile): ColumnMeaning {
  const looks = statistics.kind === "string" ? statistics.looks : "text";
  if (looks === "text") return { kind: ColumnKind.TEXT };
  const categories = (frequent?.values ?? []).map(({ value }) => value);
  return { kind: looks === "id" ? ColumnKind.ID : ColumnKind.CATEGORY, categories };
}

/** Columns of days and moments, as inputs of FP64 take them. */
export function momentsOf(profiles: TrainingFacts["profiles"]): ReadonlyMap<string, "date" | "datetime"> {
  const kinds = profiles.map((profile) => [profile.name, columnKind(profile)] as const);
  return new Map(kinds.flatMap(([name, kind]) => (kind === "date" || kind === "datetime" ? [[name, kind]] : [])));
}

/** The same of a version that was trained before, by what its inputs mean. */
export function momentsOfInputs(inputs: readonly TensorSpec[]): ReadonlyMap<string, "date" | "datetime"> {
  const words = { [ColumnKind.DATE]: "date", [ColumnKind.DATETIME]: "datetime" } as const;
  return new Map(
    inputs.flatMap(({ name, column }) => {
      const kind = words[column?.kind as keyof typeof words];
      return kind === undefined ? [] : [[name, kind] as const];
    }),
  );
}
