import { basename, extname } from "node:path";
import {
  ColumnType,
  DatasetFormat,
  DatasetService,
  type DatasetVersion,
  type PreviewCell,
  type ReadOptionsSchema,
} from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { formatResource } from "@aimass/identity";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import type { Connection } from "../client/connection.ts";
import { datasetFile, formats } from "../client/dataset-file.ts";
import { assertMay } from "../client/own-rights.ts";
import { upload } from "../client/upload.ts";
import { numberTable } from "../output/charts.ts";
import { bytes, enumName, modelName, time } from "../output/format.ts";
import { type Output, table } from "../output/output.ts";
import { oneOf, wholeNumber } from "../training/arguments.ts";
import { action, modelArgument, pairs } from "./context.ts";
import { describeDataset } from "./dataset-description.ts";
import { addDatasetVersions } from "./dataset-versions.ts";

type ReadOptions = MessageInitShape<typeof ReadOptionsSchema>;

interface PushOptions {
  readonly description: string;
  readonly source: string;
  readonly format?: string;
  readonly delimiter?: string;
  readonly missing?: string[];
  readonly onlyMissing?: string[];
  readonly keepIndex?: boolean;
  readonly type?: string[];
  readonly encoding?: string;
  readonly decimal?: string;
  readonly thousands?: string;
  readonly sheet?: string;
  readonly columns?: string[];
  readonly without?: string[];
  readonly rename?: string[];
}

/** Reading a large file for its statistics takes a while. */
const readTimeoutMs = 30 * 60_000;
/** Longer cells are cut in a preview. */
const cellWidth = 40;

export function addDatasets(program: Command): void {
  const datasets = program
    .command("datasets")
    .description("the dataset library: push, list, show, preview, versions, diff, pull, delete");
  datasets
    .command("push")
    .description(
      "upload CSV, TSV, JSON, JSON Lines (.gz and .zst too), .xlsx, Parquet, a ZIP or a folder of images as the next version of a dataset",
    )
    .argument("<path>", "a file, or a folder with a folder of images for each class")
    .argument("[dataset]", '"dataset" or "project.dataset"; the file\'s name when left out')
    .option("-d, --description <text>", "what it is", "")
    .option("--source <text>", "where it came from", "")
    .option("--format <format>", `${Object.keys(formats).join(", ")}; by what is in the file when left out`)
    .option("--delimiter <character>", "between the cells of CSV, for instance ';' or '\\t'")
    .option("--missing <cell...>", "cells that mean \"no value\" beside the usual ones (NA, NaN, null …): '?' -999")
    .option("--only-missing <cell...>", "cells that mean \"no value\", and no others: '' lets NA and None be words")
    .option("--keep-index", "keep the index that pandas wrote, and row names without a name")
    .option("--type <column=type...>", "columns that are not what they look like: zip=string day=date:DMY")
    .option("--encoding <label>", "of text: windows-1252, utf-16le, gbk …; UTF-8 when left out")
    .option("--decimal <sign>", "before the decimals of CSV: ','")
    .option("--thousands <sign>", "between groups of three digits of CSV: '.' or ' '")
    .option("--sheet <name>", "of a workbook; the first sheet when left out")
    .option("--columns <column...>", "the only columns that are read")
    .option("--without <column...>", "columns that are left out, whatever they hold")
    .option("--rename <old=new...>", "columns that get another name")
    .action(
      action<PushOptions>(async ({ connection, output }, options, [path, name]) => {
        const file = path as string;
        const { project, model: dataset } = modelArgument(name ?? nameOf(file));
        const format = options.format === undefined ? undefined : formats[formatWord(options.format)];
        const { description, source } = options;
        const version = await pushDataset({
          ...{ connection, output, project, dataset, file, description, source },
          ...(format === undefined ? {} : { format }),
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
        const { project, model: dataset } = modelArgument(name as string);
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
        const { project, model: dataset } = modelArgument(name as string);
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

function formatWord(text: string): keyof typeof formats {
  return oneOf("--format", text, Object.keys(formats) as (keyof typeof formats)[]);
}

const types = {
  number: ColumnType.NUMBER,
  string: ColumnType.STRING,
  boolean: ColumnType.BOOLEAN,
} as const;

/** Columns of dates, and what comes first in them. */
const dates = { "date:DMY": "DMY", "date:MDY": "MDY", "date:YMD": "YMD" } as const;

function readOptions(options: PushOptions): ReadOptions {
  const { delimiter, missing = [], onlyMissing, keepIndex, type, columns = [], without = [], rename } = options;
  if (missing.length > 0 && onlyMissing !== undefined)
    throw new AimassError("INVALID_ARGUMENT", "--missing and --only-missing are both given.", {
      remedy: "--missing adds to the usual cells; --only-missing names all of them.",
    });
  const declared = Object.entries(pairs(type)).map(([column, word]) => [column, columnWord(column, word)] as const);
  return {
    missing: onlyMissing ?? missing,
    onlyMissing: onlyMissing !== undefined,
    keepIndex: keepIndex ?? false,
    encoding: options.encoding ?? "",
    decimal: options.decimal ?? "",
    thousands: options.thousands ?? "",
    sheet: options.sheet ?? "",
    columns,
    without,
    rename: pairs(rename),
    delimiter: delimiter === undefined ? "" : oneCharacter(delimiter),
    types: Object.fromEntries(declared.flatMap(([column, word]) => (isDates(word) ? [] : [[column, types[word]]]))),
    dates: Object.fromEntries(declared.flatMap(([column, word]) => (isDates(word) ? [[column, dates[word]]] : []))),
  };
}

function columnWord(column: string, word: string): keyof typeof types | keyof typeof dates {
  const words = [...Object.keys(types), ...Object.keys(dates)] as (keyof typeof types | keyof typeof dates)[];
  return oneOf(`--type ${column}`, word, words);
}

function isDates(word: string): word is keyof typeof dates {
  return Object.hasOwn(dates, word);
}

function oneCharacter(text: string): string {
  const character = text === "\\t" || text === "tab" ? "\t" : text;
  if (character.length !== 1)
    throw new AimassError("INVALID_ARGUMENT", `--delimiter is "${text}".`, {
      remedy: "Give one character, like ';' or '\\t'.",
    });
  return character;
}

function cellText({ value }: PreviewCell): string {
  if (value.case === undefined) return "";
  if (value.case === "number") return String(value.value);
  const text = String(value.value).replace(/\s+/g, " ");
  return text.length > cellWidth ? `${text.slice(0, cellWidth - 1)}…` : text;
}
