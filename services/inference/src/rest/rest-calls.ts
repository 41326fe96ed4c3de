import {
  ModelConfigSchema,
  ModelMetadataResponseSchema,
  ModelStatisticsSchema,
  ServerMetadataResponseSchema,
} from "@aimass/api/inference";
import { AimassError } from "@aimass/core";
import type { ServerCall } from "@aimass/h2";
import { compress, encodeRestError, inflate } from "@aimass/oip";
import type { PredictForm, ReadCall } from "../codec/read-call.ts";
import { answerTrailers, type CallContext, inferCounted } from "../rpc/call-context.ts";
import { findServable } from "../rpc/find-servable.ts";
import type { ModelFacts } from "../rpc/model-calls.ts";
import type { Servable } from "../servables/servable.ts";
import { inUtf8 } from "./charset.ts";
import { plainJson } from "./plain-json.ts";
import { predictForm, wantsCsv } from "./predict-forms.ts";
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
    const { read, now } = await this.#read("rest", target, call);
    const { response, servable } = await inferCounted(this.#context, call, read, now);
    const asked = { outputs: read.request.outputs, binaryByDefault: read.binaryByDefault };
    const answer = await this.#context.codec.write({ kind: "rest", response, asked }, call.signal);
    await this.#respond(call, servable, answer.headers, answer.body);
  }

  async #predict(target: RestTarget, call: ServerCall): Promise<void> {
    const { read, found, now } = await this.#read(predictForm(call.headers["content-type"]), target, call);
    const { response, servable } = read.isEmpty
      ? { response: { outputs: [] }, servable: found }
      : await inferCounted(this.#context, call, read, now);
    const { outputs, isByRow } = servable.plan;
    const form = { isByRow, outputs };
    const { headers, body } = await this.#context.codec.write(
      { kind: "predict", response, form, asCsv: wantsCsv(call.headers.accept) },
      call.signal,
    );
    const { ignoredColumns } = read;
    const all = ignoredColumns === undefined ? headers : { ...headers, [ignoredHeader]: ignoredColumns };
    await this.#respond(call, servable, all, body);
  }

  async #read(
    kind: "rest" | PredictForm,
    { model, version }: RestTarget,
    call: ServerCall,
  ): Promise<{ read: ReadCall; found: Servable; now: number }> {
    const { bodyLimitBytes: limitBytes, clock, codec, servables } = this.#context;
    const sent = await inflate(await call.body(limitBytes), call.headers["content-encoding"], limitBytes);
    const type = call.headers["content-type"] ?? "";
    const body = kind === "predict csv" ? await inUtf8(sent, type, limitBytes) : sent;
    const now = clock.monotonic();
    const jsonLength = kind === "rest" ? jsonLengthOf(call.headers["inference-header-content-length"]) : undefined;
    const found = findServable(servables, call.headers, { name: model, version });
    const read = await codec.read({ kind, body, model, version, jsonLength, limitBytes }, found.plan, {
      signal: call.signal,
      ownsBody: true,
    });
    return { read, found, now };
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

function jsonLengthOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,15}$/.test(header)) return Number(header);
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
