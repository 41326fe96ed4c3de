import { basename, extname } from "node:path";
import { ColumnType, DatasetFormat, DatasetService, type DatasetVersion } from "@aimass/api/registry";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import type { Connection } from "../client/connection.ts";
import { uploadFile } from "../client/upload.ts";
import { bytes, modelName, time } from "../output/format.ts";
import { type Output, table } from "../output/output.ts";
import { action, modelArgument } from "./context.ts";

export function addDatasets(program: Command): void {
  const datasets = program.command("datasets").description("the dataset library: push, list, show");
  datasets
    .command("push")
    .description("upload a CSV file with a header row as the next version of a dataset")
    .argument("<file>")
    .argument("[dataset]", '"dataset" or "project.dataset"; the file\'s name when left out')
    .option("-d, --description <text>", "what it is", "")
    .option("--source <text>", "where it came from", "")
    .action(
      action<{ description: string; source: string }>(async ({ connection, output }, options, [file, name]) => {
        const { project, model: dataset } = modelArgument(name ?? basename(file as string, extname(file as string)));
        const version = await pushDataset({ connection, output, project, dataset, file: file as string, ...options });
        output.result(version, () => describeDataset(version));
        output.hint(`Next: aimass train --dataset ${modelName(project, dataset)} --target COLUMN --model NAME`);
      }),
    );
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
                ["DATASET", "VERSION", "ROWS", "COLUMNS", "SIZE", "CREATED"],
                all.map((d) => [
                  modelName(d.project, d.dataset),
                  String(d.version),
                  String(d.rows),
                  String(d.columns.length),
                  bytes(d.sizeBytes),
                  time(d.createdAt),
                ]),
              ),
        );
      }),
    );
  datasets
    .command("show")
    .description("one dataset with its columns")
    .argument("<dataset>")
    .option("-v, --version <n>", "a version; the newest when left out", "0")
    .action(
      action<{ version: string }>(async ({ connection, output }, options, [name]) => {
        const { project, model: dataset } = modelArgument(name as string);
        const { datasetVersion } = await connection
          .client(DatasetService)
          .getDatasetVersion({ project, dataset, version: BigInt(options.version) });
        output.result(datasetVersion, () => describeDataset(datasetVersion as DatasetVersion));
      }),
    );
}

/** Uploads a CSV file as the next version of a dataset. */
export async function pushDataset(o: {
  connection: Connection;
  output: Output;
  project: string;
  dataset: string;
  file: string;
  description?: string;
  source?: string;
}): Promise<DatasetVersion> {
  const bar = o.output.progress(`uploading ${basename(o.file)}`);
  const { sha256 } = await uploadFile(o.connection, o.project, o.file, (sent, total) =>
    bar(total === 0 ? 1 : sent / total, bytes(sent)),
  );
  const { datasetVersion } = await o.connection.client(DatasetService).createDatasetVersion(
    {
      project: o.project,
      dataset: o.dataset,
      format: DatasetFormat.CSV,
      sha256: sha256 as Uint8Array<ArrayBuffer>,
      description: o.description ?? "",
      source: o.source ?? "",
    },
    { timeoutMs: 300_000 },
  );
  return datasetVersion as DatasetVersion;
}

function describeDataset(d: DatasetVersion): string[] {
  return [
    `${modelName(d.project, d.dataset)} v${d.version}: ${d.rows} rows, ${d.columns.length} columns, ${bytes(d.sizeBytes)}${d.source === "" ? "" : `; source: ${d.source}`}`,
    "",
    ...table(
      ["COLUMN", "TYPE", "MISSING", "MINIMUM", "MEAN", "MAXIMUM"],
      d.columns.map((c) =>
        c.type === ColumnType.NUMBER
          ? [c.name, "number", String(c.missing), short(c.minimum), short(c.mean), short(c.maximum)]
          : [c.name, "text", String(c.missing), "", "", ""],
      ),
    ),
  ];
}

function short(value: number): string {
  return String(Number(value.toPrecision(5)));
}
