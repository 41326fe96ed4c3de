import { basename, extname } from "node:path";
import { DatasetFormat, DatasetService, type DatasetVersion, type PreviewCell } from "@aimass/api/registry";
import { formatResource } from "@aimass/identity";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import type { Connection } from "../client/connection.ts";
import { datasetFile } from "../client/dataset-file.ts";
import { datasetFormats, formatWords } from "../client/dataset-formats.ts";
import { assertMay } from "../client/own-rights.ts";
import { upload } from "../client/upload.ts";
import { numberTable } from "../output/charts.ts";
import { bytes, enumName, modelName, time } from "../output/format.ts";
import { type Output, table } from "../output/output.ts";
import { oneOf, wholeNumber } from "../training/arguments.ts";
import { action, modelArgument } from "./context.ts";
import { describeDataset } from "./dataset-description.ts";
import { addDatasetVersions } from "./dataset-versions.ts";
import { type ReadFlags, type ReadOptions, readOptions, withReadOptions } from "./read-options.ts";

interface PushOptions extends ReadFlags {
  readonly description: string;
  readonly source: string;
  readonly format?: string;
}

/** Reading a large file for its statistics takes a while. */
const readTimeoutMs = 30 * 60_000;
/** Longer cells are cut in a preview. */
const cellWidth = 40;

export function addDatasets(program: Command): void {
  const datasets = program
    .command("datasets")
    .description("the dataset library: push, list, show, preview, versions, diff, pull, delete");
  withReadOptions(
    datasets
      .command("push")
      .description(
        "upload CSV, TSV, JSON, JSON Lines (.gz and .zst too), .xlsx, Parquet, Feather, a ZIP or a folder of images as the next version of a dataset",
      )
      .argument("<path>", "a file, or a folder with a folder of images for each class")
      .argument("[dataset]", '"dataset" or "project.dataset"; the file\'s name when left out')
      .option("-d, --description <text>", "what it is", "")
      .option("--source <text>", "where it came from", "")
      .option("--format <format>", `${formatWords.join(", ")}; by what is in the file when left out`),
  ).action(
    action<PushOptions>(async ({ connection, output }, options, [path, name]) => {
      const file = path as string;
      const { project, model: dataset } = modelArgument(name ?? nameOf(file), "dataset");
      const word = options.format === undefined ? undefined : oneOf("--format", options.format, formatWords);
      const { description, source } = options;
      const version = await pushDataset({
        ...{ connection, output, project, dataset, file, description, source },
        ...(word !== undefined && { format: datasetFormats[word].format }),
        read: readOptions(options),
      });
      output.result(version, () => describeDataset(version));
      const target = version.format === DatasetFormat.IMAGE_ZIP ? "label" : "COLUMN";
      output.hint(`Next: aimass train --dataset ${modelName(project, dataset)} --target ${target} --model NAME`);
    }),
  );
  addList(datasets);
  addShow(datasets);
  addPreview(datasets);
  addDatasetVersions(datasets);
}

function addList(datasets: Command): void {
  datasets
    .command("list")
    .description("datasets you may view")
    .option("-p, --project <name>", "only of this project", "")
    .action(
      action<{ project: string }>(async ({ connection, output }, options) => {
        const all = await allPages(
          (page) => connection.client(DatasetService).listDatasets({ project: options.project, page }),
          (answer) => answer.datasets,
        );
        output.result(all, () =>
          all.length === 0
            ? "No datasets yet. Push one: aimass datasets push FILE.csv"
            : table(
                ["DATASET", "VERSION", "FORMAT", "ROWS", "COLUMNS", "SIZE", "CREATED"],
                all.map((d) => [
                  modelName(d.project, d.dataset),
                  String(d.version),
                  enumName(DatasetFormat, d.format).toLowerCase(),
                  String(d.rows),
                  String(d.columns.length),
                  bytes(d.sizeBytes),
                  time(d.createdAt),
                ]),
              ),
        );
      }),
    );
}

function addShow(datasets: Command): void {
  datasets
    .command("show")
    .description("one dataset: its columns, their statistics, and what to look out for")
    .argument("<dataset>")
    .option("-v, --version <n>", "a version; the newest when left out", "0")
    .action(
      action<{ version: string }>(async ({ connection, output }, options, [name]) => {
        const { project, model: dataset } = modelArgument(name as string, "dataset");
        const version = BigInt(wholeNumber("--version", options.version));
        const client = connection.client(DatasetService);
        const { datasetVersion } = await client.getDatasetVersion({ project, dataset, version });
        output.result(datasetVersion, () => describeDataset(datasetVersion as DatasetVersion));
      }),
    );
}

function addPreview(datasets: Command): void {
  datasets
    .command("preview")
    .description("the first rows of a dataset")
    .argument("<dataset>")
    .option("-v, --version <n>", "a version; the newest when left out", "0")
    .option("-r, --rows <n>", "1 to 100", "10")
    .action(
      action<{ version: string; rows: string }>(async ({ connection, output }, options, [name]) => {
        const { project, model: dataset } = modelArgument(name as string, "dataset");
        const version = BigInt(wholeNumber("--version", options.version));
        const rows = wholeNumber("--rows", options.rows, 1);
        const preview = await connection.client(DatasetService).previewDataset({ project, dataset, version, rows });
        output.result(
          preview.rows.map((row) =>
            Object.fromEntries(row.cells.map((cell, i) => [preview.columns[i], cell.value.value ?? null])),
          ),
          () =>
            numberTable(
              preview.columns,
              preview.rows.map((row) => row.cells.map(cellText)),
            ),
        );
      }),
    );
}

/** Uploads a file or a folder of images as the next version of a dataset. */
export async function pushDataset(o: {
  connection: Connection;
  output: Output;
  project: string;
  dataset: string;
  file: string;
  format?: DatasetFormat;
  description?: string;
  source?: string;
  read?: ReadOptions;
}): Promise<DatasetVersion> {
  const { source, format } = await datasetFile(o.file, o.format);
  await assertMay(o.connection, "dataset.write", formatResource(o.project, o.dataset));
  const bar = o.output.progress(`uploading ${basename(o.file)}`);
  const { sha256 } = await upload(o.connection, o.project, source, (sent, total) =>
    bar(total === 0 ? 1 : sent / total, bytes(sent)),
  );
  const { datasetVersion } = await o.connection.client(DatasetService).createDatasetVersion(
    {
      project: o.project,
      dataset: o.dataset,
      format,
      sha256: sha256 as Uint8Array<ArrayBuffer>,
      description: o.description ?? "",
      source: o.source ?? "",
      ...(o.read === undefined ? {} : { read: o.read }),
    },
    { timeoutMs: readTimeoutMs },
  );
  return datasetVersion as DatasetVersion;
}

function nameOf(path: string): string {
  const name = basename(path).replace(/\.(?:gz|zst)$/i, "");
  return basename(name, extname(name)).replace(/[^a-zA-Z0-9_-]+/g, "-");
}

function cellText({ value }: PreviewCell): string {
  if (value.case === undefined) return "";
  if (value.case === "number") return String(value.value);
  const text = String(value.value).replace(/\s+/g, " ");
  return text.length > cellWidth ? `${text.slice(0, cellWidth - 1)}…` : text;
}
