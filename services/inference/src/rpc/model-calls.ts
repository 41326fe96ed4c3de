import {
  type ModelConfig,
  ModelConfigRequestSchema,
  ModelConfigResponseSchema,
  ModelMetadataRequestSchema,
  type ModelMetadataResponse,
  ModelMetadataResponseSchema,
  ModelReadyRequestSchema,
  ModelReadyResponseSchema,
  type ModelStatistics,
  ModelStatisticsRequestSchema,
  ModelStatisticsResponseSchema,
  ServerLiveResponseSchema,
  type ServerMetadataResponse,
  ServerMetadataResponseSchema,
  ServerReadyResponseSchema,
} from "@aimass/api/inference";
import { AimassError } from "@aimass/core";
import type { HeaderFields, ServerCall } from "@aimass/h2";
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import packageJson from "../../package.json" with { type: "json" };
import { modelConfig, modelMetadata, modelStatistics } from "../servables/describe-model.ts";
import { answerTrailers, type CallContext } from "./call-context.ts";
import { findServable } from "./find-servable.ts";
import { answerGrpc, answerGrpcError } from "./grpc-answer.ts";
import { readUnaryMessage } from "./grpc-frames.ts";

/** A model as a caller names it. */
export interface AskedModel {
  readonly name: string;
  readonly version: string;
}

/** What both doors, gRPC and REST, tell of the server and its models. */
export class ModelFacts {
  readonly #context: CallContext;
  readonly #kind: "cpu" | "gpu";

  constructor(context: CallContext, kind: "cpu" | "gpu") {
    this.#context = context;
    this.#kind = kind;
  }

  server(): ServerMetadataResponse {
    const extensions = [
      "classification",
      "model_configuration",
      "binary_tensor_data",
      "parameters",
      "schedule_policy",
      "statistics",
    ];
    return create(ServerMetadataResponseSchema, { name: "aimass", version: packageJson.version, extensions });
  }

  serverReady(): boolean {
    return !this.#context.isDraining();
  }

  /** Whether a version is loaded and warm here. Never throws for one that is not. */
  modelReady(headers: HeaderFields, asked: AskedModel): boolean {
    try {
      return findServable(this.#context.servables, headers, asked).state.kind === "ready";
    } catch {
      return false;
    }
  }

  metadata(headers: HeaderFields, asked: AskedModel): ModelMetadataResponse {
    const servable = findServable(this.#context.servables, headers, asked);
    const { project, model } = servable.plan.name;
    const ready = this.#context.servables.ofModel(`${project}.${model}`).filter((s) => s.state.kind === "ready");
    const versions = ready.map((s) => String(s.plan.name.version)).reverse();
    return modelMetadata(servable, asked.name, versions, this.#context.device);
  }

  config(headers: HeaderFields, asked: AskedModel): ModelConfig {
    return modelConfig(findServable(this.#context.servables, headers, asked), asked.name, this.#kind);
  }

  /** Of one model, or of all that are loaded when the name is empty. */
  statistics(headers: HeaderFields, asked: AskedModel): ModelStatistics[] {
    const all = asked.name === "" && headers["aimass-model"] === undefined;
    if (!all) return [modelStatistics(findServable(this.#context.servables, headers, asked), asked.name, this.#kind)];
    return this.#context.servables.all.map((s) =>
      modelStatistics(s, `${s.plan.name.project}.${s.plan.name.model}`, this.#kind),
    );
  }
}

/** Answers the small gRPC calls by name; UNIMPLEMENTED for names that are not offered here. */
export function modelCalls(context: CallContext, facts: ModelFacts): (name: string, call: ServerCall) => Promise<void> {
  const handlers: Record<string, (body: Uint8Array, headers: HeaderFields) => Uint8Array> = {
    ServerLive: () => encode(ServerLiveResponseSchema, { live: true }),
    ServerReady: () => encode(ServerReadyResponseSchema, { ready: facts.serverReady() }),
    ServerMetadata: () => toBinary(ServerMetadataResponseSchema, facts.server()),
    ModelReady: (body, headers) =>
      encode(ModelReadyResponseSchema, { ready: facts.modelReady(headers, decode(ModelReadyRequestSchema, body)) }),
    ModelMetadata: (body, headers) =>
      toBinary(ModelMetadataResponseSchema, facts.metadata(headers, decode(ModelMetadataRequestSchema, body))),
    ModelConfig: (body, headers) =>
      encode(ModelConfigResponseSchema, { config: facts.config(headers, decode(ModelConfigRequestSchema, body)) }),
    ModelStatistics: (body, headers) =>
      encode(ModelStatisticsResponseSchema, {
        modelStats: facts.statistics(headers, decode(ModelStatisticsRequestSchema, body)),
      }),
  };
  return async (name, call) => {
    try {
      const handler = handlers[name];
      if (handler === undefined) throw new AimassError("UNIMPLEMENTED", `A replica does not offer ${name}.`);
      const body = await call.body(context.bodyLimitBytes);
      const message = await readUnaryMessage(body, call.headers["grpc-encoding"], context.bodyLimitBytes);
      answerGrpc(call, framed(handler(message, call.headers)), answerTrailers(context, undefined));
    } catch (error) {
      answerGrpcError(call, AimassError.from(error), answerTrailers(context, undefined));
    }
  };
}

function encode<D extends DescMessage>(schema: D, init: Parameters<typeof create<D>>[1]): Uint8Array {
  return toBinary(schema, create(schema, init));
}

function decode<D extends DescMessage>(schema: D, body: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(schema, body);
  } catch (cause) {
    throw new AimassError("INVALID_ARGUMENT", `The message is no ${schema.name}.`, { reason: "BAD_MESSAGE", cause });
  }
}

function framed(message: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(5 + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}
