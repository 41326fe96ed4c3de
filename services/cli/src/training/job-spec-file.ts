import { type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { type DescMessage, fromJson, type JsonObject, type JsonValue, ScalarType, toJson } from "@bufbuild/protobuf";
import { LineCounter, parseDocument, stringify } from "yaml";
import { SpecReader } from "./spec-reader.ts";

/** A larger file is not a job that somebody wrote. */
const largestBytes = 4 * 1024 * 1024;

/**
 * Reads a job as YAML or JSON. Fields are those of aimass.trainer.v1.JobSpec, as testShare or test_share.
 * Errors: INVALID_ARGUMENT with file, line and what would be right.
 */
export function readJobSpec(text: string, file: string): JobSpec {
  if (Buffer.byteLength(text) > largestBytes)
    throw new AimassError("INVALID_ARGUMENT", `${file} has more than ${largestBytes} bytes.`, {
      remedy: "Name a file that holds one job.",
    });
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, intAsBigInt: true });
  const [problem] = document.errors;
  if (problem !== undefined)
    throw new AimassError(
      "INVALID_ARGUMENT",
      `${file}, line ${lines.linePos(problem.pos[0]).line} is not YAML: ${problem.message}.`,
      { remedy: 'Write one "name: value" a line.' },
    );
  const json = new SpecReader(file, document, lines).message(document.contents, JobSpecSchema);
  try {
    return fromJson(JobSpecSchema, json);
  } catch (error) {
    throw new AimassError("INVALID_ARGUMENT", `${file} is not a job: ${(error as Error).message}.`, { cause: error });
  }
}

/** A job as YAML that `readJobSpec` reads back as the same job. */
export function writeJobSpec(spec: JobSpec): string {
  return stringify(withNumbers(toJson(JobSpecSchema, spec) as JsonObject, JobSpecSchema), { lineWidth: 0 });
}

/** JSON writes whole numbers of 64 bits as text; a person reads them better as numbers. */
function withNumbers(json: JsonObject, desc: DescMessage): Record<string, unknown> {
  const fields = new Map(desc.fields.map((field) => [field.jsonName, field]));
  return Object.fromEntries(
    Object.entries(json).map(([name, value]) => {
      const field = fields.get(name);
      if (field?.message !== undefined) return [name, inMessages(value, field.message, field.fieldKind === "map")];
      const isWide = field?.fieldKind === "scalar" && wide.has(field.scalar);
      return [name, isWide && typeof value === "string" ? BigInt(value) : value];
    }),
  );
}

function inMessages(value: JsonValue | undefined, desc: DescMessage, isMap: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => withNumbers(item as JsonObject, desc));
  if (!isMap) return withNumbers(value as JsonObject, desc);
  return Object.fromEntries(
    Object.entries(value as JsonObject).map(([name, item]) => [name, withNumbers(item as JsonObject, desc)]),
  );
}

const wide = new Set([ScalarType.INT64, ScalarType.UINT64]);
