import type { DatasetService, DatasetVersion } from "@aimass/api/registry";
import { formatResource } from "@aimass/identity";
import { readPage } from "@aimass/rpc";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { diffDatasets } from "../datasets/dataset-diff.ts";
import type { DatasetMaker } from "../datasets/dataset-maker.ts";
import type { DatasetReader } from "../datasets/dataset-reader.ts";
import type { Datasets } from "../datasets/datasets.ts";
import { previewDataset } from "../datasets/preview.ts";
import type { Gate } from "../gate.ts";
import { projectOf } from "../names.ts";
import { fillPage, pageInfo, sliceOf, strangeToken } from "../pages.ts";
import type { ReadAudit } from "../reads/read-audit.ts";

interface DatasetRpcOptions {
  readonly gate: Gate;
  readonly datasets: Datasets;
  readonly maker: DatasetMaker;
  readonly reader: DatasetReader;
  readonly reads: ReadAudit;
}

/** What was asked for, seen or not. */
interface Found {
  readonly name: { readonly project: string; readonly dataset: string };
  readonly version: DatasetVersion | Error;
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
      return { datasetVersion: admitted(options, await lookUp(options, request), context) };
    },
    async previewDataset(request, context) {
      const found = await lookUp(options, request);
      noteRead(options, found, context);
      const version = admitted(options, found, context);
      gate.dataset(context, version, "dataset.read");
      return previewDataset(options.reader, version, request.rows, context.signal);
    },
    async listDatasetVersions(request, context) {
      const { name } = admittedName(options, await lookUp(options, { ...request, version: 0n }), context);
      const page = readPage(context, request, 1);
      const before = page.after?.[0];
      if (before !== undefined && !/^\d{1,18}$/.test(before)) throw strangeToken();
      const rows = await datasets.versions(name, before, page.size + 1);
      const slice = sliceOf(rows, page.size, { item: (row) => row, key: (row) => [String(row.version)] });
      return { versions: [...slice.items], page: pageInfo(page, slice) };
    },
    async diffDatasetVersions({ project, dataset, left: from, right: to }, context) {
      const left = admitted(options, await lookUp(options, { project, dataset, version: from }), context);
      const right = admitted(options, await lookUp(options, { project, dataset, version: to }), context);
      return { left, right, ...diffDatasets(left, right) };
    },
    async deleteDataset(request, context) {
      const { name, actor } = admittedName(options, await lookUp(options, { ...request, version: 0n }), context);
      gate.dataset(context, name, "dataset.delete");
      return { versions: [...(await datasets.remove(actor, name, request))] };
    },
    async listDatasets(request, context) {
      const project = request.project === "" ? undefined : request.project;
      const reader = gate.reader(context);
      const page = readPage(context, request, 2);
      const slice = await fillPage(page, (after, limit) => datasets.list(project, after, limit), {
        key: (item) => [item.project, item.dataset],
        admit: (item) => reader.may("dataset.view", formatResource(item.project, item.dataset)),
      });
      return { datasets: [...slice.items], page: pageInfo(page, slice) };
    },
  };
}

/** Looked up before anybody's rights are, so that a hidden dataset and a missing one take the same time. */
async function lookUp(
  { datasets }: DatasetRpcOptions,
  request: { readonly project: string; readonly dataset: string; readonly version: bigint },
): Promise<Found> {
  const name = { project: projectOf(request.project), dataset: request.dataset };
  return { name, version: await datasets.get(name, request.version).catch((error: unknown) => error as Error) };
}

/** A version the caller may view. Errors: NOT_FOUND. */
function admitted({ gate }: DatasetRpcOptions, { name, version }: Found, context: HandlerContext): DatasetVersion {
  gate.dataset(context, name, "dataset.view");
  if (version instanceof Error) throw version;
  return version;
}

/** The name of a dataset that the caller may view, and who that is. Errors: NOT_FOUND. */
function admittedName(options: DatasetRpcOptions, found: Found, context: HandlerContext) {
  admitted(options, found, context);
  return { name: found.name, actor: { id: options.gate.reader(context).principal } };
}

/** What is not there cannot be read, and is no read that was refused. */
function noteRead({ gate, reads }: DatasetRpcOptions, { name, version }: Found, context: HandlerContext): void {
  if (version instanceof Error) return;
  const reader = gate.reader(context);
  const resource = formatResource(name.project, name.dataset);
  const allowed = reader.may("dataset.view", resource) && reader.may("dataset.read", resource);
  reads.note(reader, { resource, sha256: Buffer.from(version.sha256).toString("hex"), preview: true, allowed });
}
