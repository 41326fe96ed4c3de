import type { DatasetService } from "@aimass/api/registry";
import type { ServiceImpl } from "@connectrpc/connect";
import type { DatasetMaker } from "../datasets/dataset-maker.ts";
import type { Datasets } from "../datasets/datasets.ts";
import { datasetNotFound } from "../errors.ts";
import type { Gate } from "../gate.ts";
import { projectOf } from "../names.ts";
import { fillPage, pageInfo, readPage } from "../pages.ts";

interface DatasetRpcOptions {
  readonly gate: Gate;
  readonly datasets: Datasets;
  readonly maker: DatasetMaker;
}

export function datasetRpc({ gate, datasets, maker }: DatasetRpcOptions): ServiceImpl<typeof DatasetService> {
  return {
    async createDatasetVersion(request, context) {
      const { project, actor } = await gate.project(context, request.project, "dataset.write");
      return { datasetVersion: await maker.make(actor, gate.reader(context), project, request, context.signal) };
    },
    async getDatasetVersion(request, context) {
      const name = { project: projectOf(request.project), dataset: request.dataset };
      // Looked up first, seen or not, so that a hidden dataset and a missing one take the same time.
      const found = await datasets.get(name, request.version).catch((error: unknown) => error as Error);
      if (!gate.reader(context).may("dataset.view", name.project)) throw datasetNotFound(name.project, name.dataset);
      if (found instanceof Error) throw found;
      return { datasetVersion: found };
    },
    async listDatasets(request, context) {
      const project = request.project === "" ? undefined : request.project;
      const reader = gate.reader(context);
      const slice = await fillPage(readPage(request.page, 2), (after, limit) => datasets.list(project, after, limit), {
        key: (item) => [item.project, item.dataset],
        admit: (item) => reader.may("dataset.view", item.project),
      });
      return { datasets: [...slice.items], page: pageInfo(slice) };
    },
  };
}
