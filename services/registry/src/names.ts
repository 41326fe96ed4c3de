import { AimassError } from "@aimass/core";
import { defaultProject, isModelName, isProjectName } from "@aimass/identity";

/** A model by its two names. */
export interface ModelName {
  readonly project: string;
  readonly model: string;
}

/** The project a request means: an empty name is "default". */
export function projectOf(text: string): string {
  return text === "" ? defaultProject : text;
}

/** The name of a new project. */
export function assertProjectName(text: string): void {
  if (isProjectName(text)) return;
  throw invalid(
    "name",
    `"${shorten(text)}" cannot name a project.`,
    'Use 1–64 of a–z, 0–9, "-" and "_", with a letter first.',
  );
}

/** The name of a new model or dataset. */
export function assertModelName(text: string, kind = "model"): void {
  if (isModelName(text)) return;
  const remedy = 'Use 1–128 of a–z, A–Z, 0–9, "-" and "_", with a letter or digit first.';
  throw invalid(
    kind === "model" ? "name" : kind,
    `"${shorten(text)}" cannot name ${kind === "alias" ? "an" : "a"} ${kind}.`,
    remedy,
  );
}

/** The name of an alias: like a model's, but never all digits, which would read as a version. */
export function assertAliasName(text: string): void {
  if (/^\d+$/.test(text)) {
    throw invalid(
      "alias",
      `"${shorten(text)}" cannot name an alias, because digits name a version.`,
      "Put a letter into it.",
    );
  }
  assertModelName(text, "alias");
}

const maxLabels = 64;
const maxDescription = 16_384;

/** Description and labels as people write them, within bounds. */
export function assertTexts(texts: { description: string; labels: Readonly<Record<string, string>> }): void {
  if (texts.description.length > maxDescription) {
    throw invalid(
      "description",
      `The description has ${texts.description.length} characters.`,
      `At most ${maxDescription} fit.`,
    );
  }
  const labels = Object.entries(texts.labels);
  const long = labels.find(([key, value]) => key === "" || key.length > 63 || value.length > 256);
  if (labels.length <= maxLabels && long === undefined) return;
  throw invalid(
    "labels",
    long === undefined
      ? `There are ${labels.length} labels.`
      : `The label "${shorten(long[0])}" is too long or has no name.`,
    `At most ${maxLabels} labels fit, with keys of 1–63 and values of up to 256 characters.`,
  );
}

/** An INVALID_ARGUMENT about one field. */
export function invalid(field: string, message: string, remedy: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, { field, remedy });
}

/** Text of a stranger as it may stand in a message. */
export function shorten(text: string): string {
  const plain = text.replace(/\p{C}/gu, "�");
  return plain.length > 100 ? `${plain.slice(0, 100)}…` : plain;
}
