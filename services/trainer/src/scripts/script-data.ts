import { mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { JobSpec } from "@aimass/api/trainer";
import { type ColumnData, type Part, type SelectedBatch, valueAt } from "@aimass/datasets";
import type { TrainingData } from "../data/training-data.ts";

/** Writes what a script may learn from into its data folder: rows of training and validation, never those held out, and what is wanted. */
export async function writeScriptData(
  data: TrainingData,
  { spec, directory, signal }: { spec: JobSpec; directory: string; signal: AbortSignal },
): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const part of partsOf(data)) {
    if (data.format === "image-zip") await writeImages(data, part, { directory: join(directory, part), signal });
    else await writeFile(join(directory, `${part}.csv`), csvOf(data, part, signal));
  }
  await writeFile(join(directory, "spec.json"), `${JSON.stringify(describe(spec, data), undefined, 2)}\n`);
}

/** The variables that tell a script where all this is; `folder`: the scratch folder as it sees it. */
export function scriptVariables(data: TrainingData, spec: JobSpec, folder: string): Readonly<Record<string, string>> {
  const isImages = data.format === "image-zip";
  const places = partsOf(data).map((part) => [
    `AIMASS_${part.toUpperCase()}_${isImages ? "DIR" : "FILE"}`,
    join(folder, "data", isImages ? part : `${part}.csv`),
  ]);
  const parameters = Object.entries({ ...spec.parameters, ...spec.choices }).map(([name, value]) => [
    `AIMASS_PARAM_${name.toUpperCase().replace(/[^A-Z0-9]/g, "_")}`,
    String(value),
  ]);
  return {
    AIMASS_DATA_DIR: join(folder, "data"),
    AIMASS_SPEC_FILE: join(folder, "data", "spec.json"),
    AIMASS_OUTPUT_DIR: join(folder, "out"),
    AIMASS_METRICS_FILE: join(folder, "out", "metrics.jsonl"),
    AIMASS_SEED: String(spec.seed),
    ...Object.fromEntries([...places, ...parameters]),
  };
}

function partsOf({ rows }: TrainingData): readonly Part[] {
  return rows.validation > 0 ? ["train", "validation"] : ["train"];
}

function describe(spec: JobSpec, { task, labels, features, profiles, rows }: TrainingData): object {
  const seed = Number(spec.seed);
  return {
    task,
    target: spec.target,
    features,
    types: Object.fromEntries(profiles.map(({ name, type }) => [name, type])),
    classes: labels?.values.map(String) ?? [],
    rows: { train: rows.train, validation: rows.validation },
    seed: Number.isSafeInteger(seed) ? seed : String(spec.seed),
    parameters: { ...spec.parameters, ...spec.choices },
  };
}

/** RFC 4180 with a header row; what has no value is an empty cell. */
async function* csvOf(data: TrainingData, part: Part, signal: AbortSignal): AsyncGenerator<string> {
  const names = [...data.features, data.target];
  yield `${names.map(csvCell).join(",")}\r\n`;
  for await (const batch of data.batches({ part }, { columns: names, signal })) yield csvRows(batch, names);
}

function csvRows(batch: SelectedBatch, names: readonly string[]): string {
  const columns = names.map((name) => batch.columns.get(name) as ColumnData);
  const lines: string[] = [];
  for (let row = 0; row < batch.rows; row++) {
    lines.push(`${columns.map((column) => csvCell(valueAt(column, row) as number | string | boolean)).join(",")}\r\n`);
  }
  return lines.join("");
}

/** One cell. An empty text is quoted, to tell it from none. */
export function csvCell(value: number | string | boolean | undefined): string {
  if (typeof value !== "string") return value === undefined ? "" : String(value);
  return value === "" || /[",\r\n]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

async function writeImages(
  data: TrainingData,
  part: Part,
  { directory, signal }: { directory: string; signal: AbortSignal },
): Promise<void> {
  let row = 0;
  for await (const { columns } of data.batches({ part }, { columns: ["image"], signal })) {
    const column = columns.get("image");
    for (const image of column?.type === "image" ? column.values : []) {
      const folder = join(directory, safeName(image.label));
      const name = safeName(basename(image.name));
      const bytes = await image.read(signal);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, name), bytes, { flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
        return writeFile(join(folder, `${row}-${name}`), bytes);
      });
      row += 1;
    }
  }
}

/** A name of a ZIP as a name of a file: never a way out of the folder. */
function safeName(name: string): string {
  const safe = name.replace(/[/\\\0]/g, "_");
  return safe === "" || safe === "." || safe === ".." ? `_${safe}` : safe;
}
