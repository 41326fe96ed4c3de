import {
  ModelConfigSchema,
  ModelMetadataResponseSchema,
  ModelStatisticsSchema,
  ServerMetadataResponseSchema,
} from "@aimass/api/inference";
import { AimassError } from "@aimass/core";
import type { ServerCall } from "@aimass/h2";
import {
  compress,
  decodePredict,
  decodeRestInfer,
  encodePredict,
  encodeRestError,
  encodeRestInfer,
  inflate,
} from "@aimass/oip";
import { answerTrailers, type CallContext, inferCounted } from "../rpc/call-context.ts";
import { findServable } from "../rpc/find-servable.ts";
import type { ModelFacts } from "../rpc/model-calls.ts";
import type { Servable } from "../servables/servable.ts";
import { plainJson } from "./plain-json.ts";
import { parseRestPath, type RestTarget } from "./rest-path.ts";

const jsonType = { "content-type": "application/json" };

/** Columns of `/predict` that are no inputs of the model and were passed over: percent-encoded names, parted by commas. */
const ignoredHeader = "aimass-ignored-columns";

/** Answers REST calls of the protocol and `/predict`. */
export class RestCalls {
  readonly #context: CallContext;
  readonly #facts: ModelFacts;

  constructor(context: CallContext, facts: ModelFacts) {
    this.#context = context;
    this.#facts = facts;
  }

  /** Always answers. */
  async answer(call: ServerCall): Promise<void> {
    try {
      const target = parseRestPath(call.path);
      if (target === undefined) throw new AimassError("NOT_FOUND", `There is nothing at ${call.path.slice(0, 200)}.`);
      const method = target.action === "infer" || target.action === "predict" ? "POST" : "GET";
      if (call.method !== method && !(method === "GET" && call.method === "HEAD"))
        throw wrongMethod(call.method, method);
      await this.#perform(target, call);
    } catch (error) {
      const { status, headers, body } = encodeRestError(AimassError.from(error));
      call.respond({ status, headers, body, trailers: answerTrailers(this.#context, undefined) });
    }
  }

  async #perform(target: RestTarget, call: ServerCall): Promise<void> {
    const asked = { name: target.model, version: target.version };
    const { headers } = call;
    switch (target.action) {
      case "infer":
        return this.#infer(target, call);
      case "predict":
        return this.#predict(target, call);
      case "server":
        return this.#json(call, plainJson(ServerMetadataResponseSchema, this.#facts.server()));
      case "live":
        return this.#json(call, { live: true });
      case "server-ready":
        return this.#json(call, { ready: this.#facts.serverReady() }, this.#facts.serverReady() ? 200 : 400);
      case "ready": {
        const ready = this.#facts.modelReady(headers, asked);
        return this.#json(call, { ready }, ready ? 200 : 400);
      }
      case "model":
        return this.#json(call, plainJson(ModelMetadataResponseSchema, this.#facts.metadata(headers, asked)));
      case "config":
        return this.#json(call, plainJson(ModelConfigSchema, this.#facts.config(headers, asked)));
      case "stats":
      case "all-stats": {
        const stats = this.#facts.statistics(headers, asked).map((s) => plainJson(ModelStatisticsSchema, s));
        return this.#json(call, { model_stats: stats });
      }
    }
  }

  async #infer(target: RestTarget, call: ServerCall): Promise<void> {
    const limit = this.#context.bodyLimitBytes;
    const body = await inflate(await call.body(limit), call.headers["content-encoding"], limit);
    const header = jsonLength(call.headers["inference-header-content-length"]);
    const signature = findServable(this.#context.servables, call.headers, {
      name: target.model,
      version: target.version,
    }).plan;
    const asked = decodeRestInfer(body, header, target.model, target.version, signature);
    const { response, servable } = await inferCounted(this.#context, call, asked.request);
    const answer = encodeRestInfer(response, asked);
    await this.#respond(call, servable, answer.headers, answer.body);
  }

  async #predict(target: RestTarget, call: ServerCall): Promise<void> {
    const limit = this.#context.bodyLimitBytes;
    const body = await inflate(await call.body(limit), call.headers["content-encoding"], limit);
    const found = findServable(this.#context.servables, call.headers, { name: target.model, version: target.version });
    const { plan } = found;
    const { request, ignoredColumns, isEmpty } = decodePredict(body, plan, target.model, target.version, limit);
    const headers = { ...jsonType, ...(ignoredColumns !== undefined && { [ignoredHeader]: ignoredColumns }) };
    if (isEmpty) return this.#respond(call, found, headers, encodePredict({ outputs: [] }, plan));
    const { response, servable } = await inferCounted(this.#context, call, request);
    await this.#respond(call, servable, headers, encodePredict(response, plan));
  }

  async #respond(
    call: ServerCall,
    servable: Servable,
    headers: Readonly<Record<string, string>>,
    plain: Uint8Array,
  ): Promise<void> {
    const { body, encoding } = await compress(plain, call.headers["accept-encoding"]);
    const trailers = answerTrailers(this.#context, servable);
    const all = {
      ...headers,
      "aimass-version": trailers["aimass-version"] as string,
      ...(encoding !== undefined && { "content-encoding": encoding }),
    };
    call.respond({ status: 200, headers: all, body, trailers });
  }

  #json(call: ServerCall, value: unknown, status = 200): void {
    call.respond({
      status,
      headers: jsonType,
      body: Buffer.from(JSON.stringify(value)),
      trailers: answerTrailers(this.#context, undefined),
    });
  }
}

function jsonLength(header: string | undefined): { contentLengthHeader?: number } {
  if (header === undefined) return {};
  if (/^\d{1,15}$/.test(header)) return { contentLengthHeader: Number(header) };
  throw new AimassError(
    "INVALID_ARGUMENT",
    `Inference-Header-Content-Length is "${header.slice(0, 100)}", which is no length.`,
    {
      reason: "BAD_HEADER_LENGTH",
      remedy: "It is the number of bytes of JSON in front of the binary data.",
    },
  );
}

function wrongMethod(given: string, wanted: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `This path takes ${wanted}, not ${given}.`, {
    reason: "WRONG_METHOD",
    remedy: `Use ${wanted}.`,
  });
}
