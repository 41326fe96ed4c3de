import {
  type ModelConfigRequest,
  ModelConfigRequestSchema,
  type ModelConfigResponse,
  ModelConfigResponseSchema,
  type ModelMetadataRequest,
  ModelMetadataRequestSchema,
  type ModelMetadataResponse,
  ModelMetadataResponseSchema,
  type ModelStatistics,
  ModelStatisticsRequestSchema,
  ModelStatisticsResponseSchema,
} from "@aimass/api/inference";
import { AimassError, codeFromNumber } from "@aimass/core";
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { Caller, ReplicaCall, Served } from "../pipeline/call.ts";
import type { TracedCaller } from "../pipeline/caller-factory.ts";
import { percentDecode } from "../pipeline/outcome.ts";
import type { ReplicaCalls } from "../pipeline/replica-calls.ts";
import { type ModelRoutes, publicName, type VersionRoutes } from "../routes/model-routes.ts";
import type { Inference } from "./inference.ts";
import type { ServerInfo } from "./server-info.ts";
import { mergeStatistics } from "./statistics.ts";

const service = "/inference.GRPCInferenceService/";
const prefixBytes = 5;

/** Answers what is asked about models: by the routes, by one replica, or by all of them. */
export class ModelFacts {
  readonly #inference: Inference;
  readonly #calls: ReplicaCalls;
  readonly #info: ServerInfo;

  constructor(options: { inference: Inference; calls: ReplicaCalls; info: ServerInfo }) {
    this.#inference = options.inference;
    this.#calls = options.calls;
    this.#info = options.info;
  }

  /** Whether a replica that holds the version is up. Throws NOT_FOUND. */
  ready({ caller, name, version }: { caller: TracedCaller; name: string; version: string }): boolean {
    return this.standing({ caller, name, version }).isUp;
  }

  /** The version that calls by this name or alias go to, and whether a replica that holds it is up. Throws NOT_FOUND. */
  standing(asked: { caller: TracedCaller; name: string; version: string }): { version: string; isUp: boolean } {
    const { caller, name: model, version } = asked;
    const routes = this.#inference.visibleVersion({ caller, model, version });
    return { version: routes.version, isUp: this.#info.isUp(routes) };
  }

  async metadata(request: ModelMetadataRequest, caller: TracedCaller): Promise<ModelMetadataResponse> {
    const body = frame(toBinary(ModelMetadataRequestSchema, request));
    const { served, model } = await this.#inference.ask({
      ...question("ModelMetadata", request, body, caller),
      caller,
    });
    const metadata = decodeAnswer(ModelMetadataResponseSchema, served);
    metadata.versions = servedVersions(this.#info.visibleVersions(caller.principal, model));
    return metadata;
  }

  async config(request: ModelConfigRequest, caller: TracedCaller): Promise<ModelConfigResponse> {
    const body = frame(toBinary(ModelConfigRequestSchema, request));
    const { served } = await this.#inference.ask({ ...question("ModelConfig", request, body, caller), caller });
    return decodeAnswer(ModelConfigResponseSchema, served);
  }

  /** Counts of a model's versions, or of all models the caller may see when the name is empty, added up over their replicas. */
  async statistics(asked: { name: string; version: string }, caller: TracedCaller): Promise<ModelStatistics[]> {
    const { name: model, version } = asked;
    if (version !== "" && model !== "") {
      const routes = this.#inference.visibleVersion({ caller, model, version });
      return [await this.#statisticsOf(this.#inference.visible({ caller, model, version }), routes, caller)];
    }
    const models =
      model === "" ? this.#info.visibleModels(caller.principal) : [this.#inference.visible({ caller, model, version })];
    const all = models.flatMap((m) => this.#info.visibleVersions(caller.principal, m).map((v) => ({ m, v })));
    return Promise.all(all.map(({ m, v }) => this.#statisticsOf(m, v, caller)));
  }

  /** Counts of every version of some models, whoever may see them: for operators alone. */
  async statisticsOf(models: readonly ModelRoutes[], caller: Caller): Promise<ModelStatistics[]> {
    return Promise.all(models.flatMap((m) => m.newestFirst.map((v) => this.#statisticsOf(m, v, caller))));
  }

  async #statisticsOf(model: ModelRoutes, routes: VersionRoutes, caller: Caller): Promise<ModelStatistics> {
    const name = publicName(model);
    const request = create(ModelStatisticsRequestSchema, { name, version: routes.version });
    const body = frame(toBinary(ModelStatisticsRequestSchema, request));
    const answers = await this.#calls.runOnAll(routes, question("ModelStatistics", request, body, caller));
    const parts = answers.flatMap((served) =>
      served.code === "OK" ? decodeAnswer(ModelStatisticsResponseSchema, served).modelStats : [],
    );
    return mergeStatistics(name, routes.version, parts);
  }
}

/** Those that a replica holds. */
function servedVersions(versions: readonly VersionRoutes[]): string[] {
  return versions.filter((v) => v.replicaIds.length > 0).map((v) => v.version);
}

function question(
  rpc: string,
  request: { readonly name: string; readonly version: string },
  body: Uint8Array,
  caller: Caller,
): ReplicaCall {
  return {
    caller,
    model: request.name,
    version: request.version,
    format: "grpc",
    path: () => service + rpc,
    headers: { "content-type": "application/grpc" },
    body,
    isIdempotent: true,
  };
}

function decodeAnswer<D extends DescMessage>(schema: D, served: Served): MessageShape<D> {
  if (served.code === "OK") return fromBinary(schema, served.result.body.subarray(prefixBytes));
  const said = served.result.trailers["grpc-status"] === undefined ? served.result.headers : served.result.trailers;
  const message = percentDecode(said["grpc-message"] ?? "The replica gave no reason.");
  throw new AimassError(codeFromNumber(Number(said["grpc-status"])), message);
}

function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(prefixBytes + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, prefixBytes);
  return framed;
}
