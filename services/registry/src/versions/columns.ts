import { ColumnKind, type ColumnMeaning, ColumnMeaningSchema, type Signature } from "@aimass/api/registry";
import { datePattern, datePatterns, didYouMean, signProblem } from "@aimass/core";
import { create } from "@bufbuild/protobuf";
import { invalid, shorten } from "../names.ts";

/** What the cells of a version's columns mean, by input name. */
export type Columns = Readonly<Record<string, ColumnMeaning>>;

const bounds = {
  missing: { most: 200, longest: 200 },
  trueWords: { most: 50, longest: 200 },
  falseWords: { most: 50, longest: 200 },
  categories: { most: 1000, longest: 1000 },
} as const;
const longestUnit = 64;
/** All words of all columns; every route and replica carries them. */
const mostCharacters = 4_000_000;

const kindWords: Readonly<Record<string, ColumnKind>> = {
  number: ColumnKind.NUMBER,
  boolean: ColumnKind.BOOLEAN,
  category: ColumnKind.CATEGORY,
  text: ColumnKind.TEXT,
  date: ColumnKind.DATE,
  datetime: ColumnKind.DATETIME,
  id: ColumnKind.ID,
  image: ColumnKind.IMAGE,
};

const words = {
  missing: "missing",
  true_words: "trueWords",
  false_words: "falseWords",
  categories: "categories",
} as const;

const columnKeys = ["kind", "unit", "dates", "decimal", "thousands", ...Object.keys(words)];

/** Kinds whose cells are texts in the model. */
const textKinds: ReadonlySet<ColumnKind> = new Set([ColumnKind.CATEGORY, ColumnKind.TEXT]);
const anyKinds: ReadonlySet<ColumnKind> = new Set([ColumnKind.UNSPECIFIED, ColumnKind.ID]);

/**
 * Reads `columns` of a `model.yaml`:
 *
 * ```yaml
 * columns:
 *   age: { kind: number, missing: [NA, "-1"], unit: years }
 *   born: { kind: date, dates: DD.MM.YYYY }
 *   smokes: { kind: boolean, true_words: [J], false_words: [N] }
 * ```
 *
 * Errors: INVALID_ARGUMENT, with the key that is wrong.
 */
export function readColumns(value: unknown): Columns {
  return Object.fromEntries(
    Object.entries(asMap(value, "columns")).map(([name, column]) => [name, readColumn(column, `columns.${name}`)]),
  );
}

/** Writes columns into a signature's inputs. Errors: INVALID_ARGUMENT for names that are no inputs, kinds that do not fit their type, and what is out of bounds. */
export function withColumns(signature: Signature, columns: Columns): Signature {
  let characters = 0;
  for (const [name, column] of Object.entries(columns)) {
    const field = `columns[${JSON.stringify(shorten(name))}]`;
    const input = signature.inputs.find((spec) => spec.name === name);
    if (input === undefined) {
      const takes = signature.inputs.map((spec) => spec.name).join(", ");
      throw invalid(field, `The model has no input "${shorten(name)}".`, `Its inputs are ${shorten(takes)}.`);
    }
    assertKind(column.kind, input.datatype, field);
    assertDates(column, field);
    assertNumbers(column, field);
    characters += assertWords(column, field);
    input.column = column;
  }
  if (characters <= mostCharacters) return signature;
  throw invalid("columns", `The words of all columns have ${characters} characters.`, `At most ${mostCharacters} fit.`);
}

function assertKind(kind: ColumnKind, datatype: string, field: string): void {
  if (ColumnKind[kind] === undefined) throw invalid(field, `${field} has the unknown kind ${kind}.`, kindsRemedy());
  if (anyKinds.has(kind)) return;
  const needs = kind === ColumnKind.IMAGE ? "UINT8" : textKinds.has(kind) ? "BYTES" : "numbers";
  const fits = needs === "numbers" ? datatype !== "BYTES" : datatype === needs;
  if (fits) return;
  const word = ColumnKind[kind].toLowerCase();
  throw invalid(
    field,
    `The input is ${datatype}, but its column is said to be of kind ${word}.`,
    `${word} needs ${needs}.`,
  );
}

function assertDates({ datePattern: name }: ColumnMeaning, field: string): void {
  if (name === "" || datePattern(name) !== undefined) return;
  const known = datePatterns.map((pattern) => pattern.name).join("; ");
  throw invalid(`${field}.date_pattern`, `"${shorten(name)}" is no pattern of dates.`, `Patterns are ${known}.`);
}

function assertNumbers(column: ColumnMeaning, field: string): void {
  const wrong = signProblem(column);
  if (wrong !== undefined) throw invalid(`${field}.${wrong.sign}`, wrong.message, wrong.remedy);
}

/** Gives back how many characters the column's words have. */
function assertWords(column: ColumnMeaning, field: string): number {
  let characters = column.unit.length;
  if (column.unit.length > longestUnit) {
    throw invalid(`${field}.unit`, "The unit is too long.", `At most ${longestUnit} characters fit.`);
  }
  for (const [list, { most, longest }] of Object.entries(bounds)) {
    const words = column[list as keyof typeof bounds];
    const at = `${field}.${list}`;
    if (words.length > most) throw invalid(at, `${at} has ${words.length} words.`, `At most ${most} fit.`);
    const long = words.find((word) => word.length > longest);
    if (long !== undefined) throw invalid(at, `"${shorten(long)}" is too long.`, `At most ${longest} characters fit.`);
    characters += words.reduce((sum, word) => sum + word.length, 0);
  }
  const twofold = column.trueWords.find((word) => column.falseWords.includes(word));
  if (twofold === undefined) return characters;
  throw invalid(field, `"${shorten(twofold)}" means both true and false.`, "Name every word once.");
}

function readColumn(value: unknown, key: string): ColumnMeaning {
  const column = create(ColumnMeaningSchema);
  for (const [name, given] of Object.entries(asMap(value, key))) {
    if (name === "kind") column.kind = readKind(given, `${key}.kind`);
    else if (name === "unit") column.unit = asText(given, `${key}.unit`);
    else if (name === "dates") column.datePattern = asText(given, `${key}.dates`);
    else if (name === "decimal" || name === "thousands") column[name] = asText(given, `${key}.${name}`);
    else if (Object.hasOwn(words, name)) column[words[name as keyof typeof words]] = readWords(given, `${key}.${name}`);
    else
      throw wrong(
        `${key}.${name}`,
        "is not known",
        `${didYouMean(name, columnKeys)}Known are ${columnKeys.join(", ")}.`,
      );
  }
  return column;
}

function readKind(value: unknown, key: string): ColumnKind {
  const kind = typeof value === "string" && Object.hasOwn(kindWords, value) ? kindWords[value] : undefined;
  if (kind === undefined) throw wrong(key, "is no kind of column", kindsRemedy());
  return kind;
}

function readWords(value: unknown, key: string): string[] {
  if (!Array.isArray(value)) throw wrong(key, "is not a list", "Write a list of words.");
  return value.map((word: unknown, index) => asText(word, `${key}[${index}]`));
}

function asMap(value: unknown, key: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw wrong(key, "is not a map", "Write keys and values.");
}

/** Numbers and booleans are taken as they would be written. */
function asText(value: unknown, key: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw wrong(key, "is not text", "Put it into quotes.");
}

function kindsRemedy(): string {
  return `Kinds are ${Object.keys(kindWords).join(", ")}.`;
}

function wrong(key: string, what: string, remedy: string) {
  return invalid("model.yaml", `In model.yaml, ${shorten(key)} ${what}.`, remedy);
}
