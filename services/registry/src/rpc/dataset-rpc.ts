import type { DatasetService, DatasetVersion } from "@aimass/api/registry";
import { formatResource } from "@aimass/identity";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { DatasetMaker } from "../datasets/dataset-maker.ts";
import type { DatasetReader } from "../datasets/dataset-reader.ts";
import type { Datasets } from "../datasets/datasets.ts";
import { previewDataset } from "../datasets/preview.ts";
import type { Gate } from "../gate.ts";
import { projectOf } from "../names.ts";
import { fillPage, pageInfo, readPage } from "../pages.ts";

interface DatasetRpcOptions {
  readonly gate: Gate;
  readonly datasets: Datasets;
  readonly maker: DatasetMaker;
  readonly reader: DatasetReader;
}

export function datasetRpc(options: DatasetRpcOptions): ServiceImpl<typeof DatasetService> {
  const { gate, datasets, maker } = options;
  return {
    async createDatasetVersion(request, context) {
      const { project, actor } = await gate.newDataset(context, request);
      const by = { actor, reader: gate.reader(context) };
      return { datasetVersion: await maker.make(by, project, request, context.signal) };
    },
    async getDatasetVersion(request, context) {
      return { datasetVersion: await find(options, request, context) };
    },
    async previewDataset(request, context) {
      const version = await find(options, request, context);
      gate.dataset(context, version, "dataset.read");
      return previewDataset(options.reader, version, request.rows, context.signal);
    },
    async listDatasets(request, context) {
      const project = request.project === "" ? undefined : request.project;
      const reader = gate.reader(context);
      const slice = await fillPage(readPage(request.page, 2), (after, limit) => datasets.list(project, after, limit), {
        key: (item) => [item.project, item.dataset],
        admit: (item) => reader.may("dataset.view", formatResource(item.project, item.dataset)),
      });
      return { datasets: [...slice.items], page: pageInfo(slice) };
    },
  };
}

/** A version the caller may view. It is looked up first, seen or not, so that a hidden dataset and a missing one take the same time. */
async function find(
  { gate, datasets }: DatasetRpcOptions,
  request: { readonly project: string; readonly dataset: string; readonly version: bigint },
  context: HandlerContext,
): Promise<DatasetVersion> {
  const name = { project: projectOf(request.project), dataset: request.dataset };
  const found = await datasets.get(name, request.version).catch((error: unknown) => error as Error);
  gate.dataset(context, name, "dataset.view");
  if (found instanceof Error) throw found;
  return found;
}
