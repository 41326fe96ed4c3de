import { type CreateVersionRequest, type ModelService, ReviewDecision } from "@aimass/api/registry";
import { callerOf, readPage } from "@aimass/rpc";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Gate } from "../gate.ts";
import type { Models } from "../models/models.ts";
import { assertModelName, invalid, projectOf } from "../names.ts";
import { fillPage, pageInfo } from "../pages.ts";
import { diffVersions } from "../versions/diff.ts";
import type { VersionMaker } from "../versions/version-maker.ts";
import type { Versions } from "../versions/versions.ts";
import { encodeModel } from "./encode-model.ts";

interface ModelRpcOptions {
  readonly gate: Gate;
  readonly models: Models;
  readonly versions: Versions;
  readonly maker: VersionMaker;
}

export function modelRpc({ gate, models, versions, maker }: ModelRpcOptions): ServiceImpl<typeof ModelService> {
  return {
    async createModel(request, context) {
      const { project, actor } = await gate.newModel(context, { project: request.project, model: request.name });
      const { name: model, description, labels, allowExisting } = request;
      return { model: encodeModel(await models.create(actor, { project, model, description, labels, allowExisting })) };
    },
    async getModel(request, context) {
      const { row } = await gate.model(context, { project: request.project, model: request.name }, "model.view");
      const [view] = await models.views([row]);
      return view === undefined ? {} : { model: encodeModel(view) };
    },
    async listModels(request, context) {
      const project = request.project === "" ? undefined : request.project;
      const page = readPage(context, request, 2);
      const slice = await fillPage(page, (after, limit) => models.list(project, after, limit), {
        key: (row) => [row.project, row.name],
        admit: (row) => gate.maySeeModel(context, { project: row.project, model: row.name }),
      });
      return { models: (await models.views(slice.items)).map(encodeModel), page: pageInfo(page, slice) };
    },
    async updateModel({ description, labels, setLabels, etag, ...request }, context) {
      const named = { project: request.project, model: request.name };
      const { actor, project, model } = await gate.model(context, named, "version.create");
      const change = { description, labels: setLabels ? labels : undefined, etag };
      return { model: encodeModel(await models.update(actor, { project, model }, change)) };
    },
    async deleteModel(request, context) {
      const named = { project: request.project, model: request.name };
      const { actor, project, model } = await gate.model(context, named, "model.delete");
      return { versions: [...(await models.remove(actor, { project, model }, request.validateOnly))] };
    },
    async createVersion(request, context) {
      const { actor, project, model } = await admitVersion(gate, models, context, request);
      const reader = gate.reader(context);
      const fromTrainer = callerOf(context).service.role === "trainer";
      return { version: await maker.make({ actor, reader, fromTrainer }, { project, model }, request) };
    },
    async getVersion(request, context) {
      const name = await gate.model(context, request, "model.view");
      return { version: await versions.resolve(name, request.version) };
    },
    async listVersions(request, context) {
      const name = await gate.model(context, request, "model.view");
      const page = readPage(context, request, 1);
      const slice = await versions.list(name, page);
      return { versions: [...slice.items], page: pageInfo(page, slice) };
    },
    async retireVersion(request, context) {
      const { actor, project, model } = await gate.model(context, request, "version.retire");
      return { version: await versions.retire(actor, { project, model }, request) };
    },
    async diffVersions(request, context) {
      const name = await gate.model(context, request, "model.view");
      const left = await versions.resolve(name, request.left);
      const right = await versions.resolve(name, request.right);
      return { left, right, ...diffVersions(left, right) };
    },
    async requestReview(request, context) {
      const { actor, project, model } = await gate.model(context, request, "version.review_request");
      return { version: await versions.requestReview(actor, { project, model }, request.version, request.comment) };
    },
    async decideReview(request, context) {
      const { actor, project, model } = await gate.model(context, request, "version.review");
      const { version, comment } = request;
      const approved = readDecision(request.decision);
      return { version: await versions.decideReview(actor, { project, model }, { version, approved, comment }) };
    },
  };
}

/** Whoever may add a version to a model, or, when that is asked for and it is not there, make the model and the version. */
async function admitVersion(gate: Gate, models: Models, context: HandlerContext, request: CreateVersionRequest) {
  const { project, model, createModel } = request;
  if (!createModel || (await models.find({ project: projectOf(project), model })) !== undefined) {
    return gate.model(context, request, "version.create");
  }
  assertModelName(model);
  const admitted = await gate.newModel(context, { project, model });
  gate.named(context, { ...admitted, model }, "version.create");
  return { ...admitted, model };
}

function readDecision(decision: ReviewDecision): boolean {
  if (decision === ReviewDecision.APPROVE || decision === ReviewDecision.REFUSE)
    return decision === ReviewDecision.APPROVE;
  throw invalid("decision", "The decision is missing.", "Send APPROVE or REFUSE.");
}
