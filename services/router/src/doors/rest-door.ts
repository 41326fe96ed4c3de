import {
  ModelConfigRequestSchema,
  ModelConfigResponseSchema,
  ModelMetadataRequestSchema,
  ModelMetadataResponseSchema,
  ModelStatisticsResponseSchema,
  RepositoryIndexResponse_ModelIndexSchema,
  ServerMetadataResponseSchema,
} from "@aimass/api/inference";
import { AimassError, type Clock } from "@aimass/core";
import type { Answer, BodyMeter, HeaderFields, ServerCall } from "@aimass/h2";
import { encodeRestError } from "@aimass/oip";
import type { Decompression, ReceivedBytes } from "@aimass/rpc";
import { create } from "@bufbuild/protobuf";
import type { Inference } from "../inference/inference.ts";
import type { ModelFacts } from "../inference/model-facts.ts";
import type { ServerInfo } from "../inference/server-info.ts";
import type { Served } from "../pipeline/call.ts";
import type { CallerFactory, TracedCaller } from "../pipeline/caller-factory.ts";
import { parseGrpcTimeout, parseMilliseconds } from "../pipeline/deadline.ts";
import { publicName, type VersionRoutes } from "../routes/model-routes.ts";
import { anonymousRatio } from "./infer-door.ts";
import { plainJson } from "./plain-json.ts";
import { parseRestPath, type RestTarget } from "./rest-path.ts";
import { withBody, withDecompressed } from "./with-body.ts";

/** Headers of a REST request that its replica reads. */
const forwardedHeaders = ["content-type", "accept-encoding", "accept", "inference-header-content-length"];

/** Headers of a replica's answer that are not the caller's business, or are made anew by the connection to it. */
const droppedHeaders = new Set(["aimass-queue-depth", "connection", "keep-alive", "transfer-encoding", "date"]);

/** A sequence parameter in JSON. Searched for in the head of the body, where requests have it; a false hit costs a retry, nothing else. */
const sequenceKey = Buffer.from('"sequence_');
const sequenceSearchBytes = 64 * 1024;

/** The protocol's REST form and `/predict`. Bodies go to the replica as they came, but for their compression. */
export class RestDoor {
  readonly #inference: Inference;
  readonly #facts: ModelFacts;
  readonly #info: ServerInfo;
  readonly #callers: CallerFactory;
  readonly #received: ReceivedBytes;
  readonly #limitBytes: number;
  readonly #clock: Clock;
  readonly #defaultModel: () => string | undefined;

  constructor(options: {
    inference: Inference;
    facts: ModelFacts;
    info: ServerInfo;
    callers: CallerFactory;
    received: ReceivedBytes;
    limitBytes: number;
    clock: Clock;
    defaultModel: () => string | undefined;
  }) {
    this.#inference = options.inference;
    this.#facts = options.facts;
    this.#info = options.info;
    this.#callers = options.callers;
    this.#received = options.received;
    this.#limitBytes = options.limitBytes;
    this.#clock = options.clock;
    this.#defaultModel = options.defaultModel;
  }

  /** False when the path is none of this door's. */
  answer(call: ServerCall): Promise<void> | false {
    const target = parseRestPath(call.path);
    if (target === undefined || (target.action === "alive" && wantsPage(call))) return false;
    return this.#perform(target, call);
  }

  async #perform(target: RestTarget, call: ServerCall): Promise<void> {
    const methods = methodsOf(target);
    if (methods !== undefined && !methods.includes(call.method)) return call.respond(wrongMethod(call, methods));
    switch (target.action) {
      case "live":
        return json(call, { live: true });
      case "server-ready":
        return readiness(call, this.#info.ready() === true);
      case "alive":
        return json(call, { status: "alive" });
      case "health":
        return text(call, "\n", this.#info.ready() === true ? 200 : 503);
      case "version":
        return text(call, this.#info.metadata().version);
      case "server":
        return json(call, plainJson(ServerMetadataResponseSchema, this.#info.metadata()));
      case "infer":
      case "predict":
        return this.#run(target, call);
      case "unsupported":
        throw new AimassError("UNIMPLEMENTED", `${target.what} is not offered here.`, { remedy: target.remedy });
      default:
        return this.#describe(target, call);
    }
  }

  async #describe(target: RestTarget, call: ServerCall): Promise<void> {
    const caller = this.#caller(call, `router.${target.action}`);
    using _ = caller.span;
    const { model: name, version } = target;
    switch (target.action) {
      case "ready":
        return modelReadiness(call, this.#facts.standing({ caller, name, version }));
      case "v1-models":
        return json(call, { models: this.#info.visibleModels(caller.principal).map(publicName) });
      case "v1-model": {
        const ready = this.#facts.ready({ caller, name, version });
        return json(call, { name, ready }, ready ? 200 : 503);
      }
      case "model": {
        const metadata = await this.#facts.metadata(create(ModelMetadataRequestSchema, { name, version }), caller);
        return json(call, plainJson(ModelMetadataResponseSchema, metadata));
      }
      case "config": {
        const { config } = await this.#facts.config(create(ModelConfigRequestSchema, { name, version }), caller);
        return json(
          call,
          (plainJson(ModelConfigResponseSchema, create(ModelConfigResponseSchema, { config })) as { config: unknown })
            .config,
        );
      }
      case "stats": {
        const modelStats = await this.#facts.statistics({ name, version }, caller);
        return json(
          call,
          plainJson(ModelStatisticsResponseSchema, create(ModelStatisticsResponseSchema, { modelStats })),
        );
      }
      case "index": {
        const body = await call.body(64 * 1024);
        const entries = this.#info.index(caller.principal, wantsReady(body));
        return json(
          call,
          entries.map((entry) => plainJson(RepositoryIndexResponse_ModelIndexSchema, entry)),
        );
      }
    }
  }

  async #run(target: RestTarget, call: ServerCall): Promise<void> {
    try {
      await this.#answerRun(target, call);
    } catch (error) {
      this.#inference.countUnrun(error);
      throw error;
    }
  }

  async #answerRun(target: RestTarget, call: ServerCall): Promise<void> {
    const caller = this.#caller(call, `router.${target.action}`);
    using _ = caller.span;
    const model = target.model === "" ? this.#assertDefaultModel() : target.model;
    const { version } = target;
    // Model and caller are known by now: who may not is told before the body is read.
    this.#inference.assertRunnable({ caller, model, version });
    const limitBytes = this.#limitBytes;
    const remainingMs = caller.deadlineAt - this.#clock.monotonic();
    const options = { call, caller, received: this.#received, limitBytes, remainingMs };
    await withBody(options, async ({ body: sent, meter }) => {
      const served = await withDecompressed(sent, this.#decompression(call, caller, meter), (body) =>
        this.#inference.run({
          caller,
          model,
          version,
          format: "rest",
          path: (routes) => replicaPath(target, model, routes),
          headers: pickHeaders(call.headers),
          body,
          isIdempotent: !mayBeSequence(body),
        }),
      );
      call.respond({ status: served.result.status, headers: answerHeaders(served), body: served.result.body });
    });
  }

  /** Decompressed here, where it is counted, and sent to the replica as it then is. */
  #decompression(call: ServerCall, caller: TracedCaller, meter: BodyMeter): Decompression {
    return {
      encoding: call.headers["content-encoding"],
      limitBytes: this.#limitBytes,
      meter,
      ...(caller.principal.kind === "anonymous" && { maxRatio: anonymousRatio }),
    };
  }

  #caller(call: ServerCall, name: string): TracedCaller {
    const { headers } = call;
    const timeoutMs =
      parseGrpcTimeout(headers["grpc-timeout"]) ?? parseMilliseconds("x-timeout-ms", headers["x-timeout-ms"]);
    return this.#callers.create(call, name, timeoutMs);
  }

  #assertDefaultModel(): string {
    const model = this.#defaultModel();
    if (model !== undefined) return model;
    throw new AimassError("NOT_FOUND", "There is no default model here.", {
      reason: "NO_DEFAULT_MODEL",
      remedy: "POST to /models/NAME/predict, or ask an operator to set AIMASS_DEFAULT_MODEL.",
    });
  }
}

/** The only deployed model's name; undefined when there is none, or more than one. */
export function onlyModel(
  models: ReadonlyMap<string, { project: string; model: string; name: string }>,
): string | undefined {
  if (models.size !== 1) return undefined;
  const [only] = models.values();
  return only === undefined ? undefined : publicName(only);
}

/** What a path takes, the usual one first; undefined: anything, for one answer. */
function methodsOf({ action }: RestTarget): readonly string[] | undefined {
  if (action === "unsupported") return undefined;
  if (action === "infer" || action === "predict") return ["POST"];
  return action === "index" ? ["POST", "GET", "HEAD"] : ["GET", "HEAD"];
}

/** RFC 9110, section 15.5.6. */
function wrongMethod(call: ServerCall, methods: readonly string[]): Answer {
  const message = `${call.method} does nothing at ${call.path.slice(0, 200)}.`;
  const error = new AimassError("INVALID_ARGUMENT", message, { remedy: `Use ${methods[0]}.` });
  const { headers, body } = encodeRestError(error);
  return { status: 405, headers: { ...headers, allow: methods.join(", ") }, body };
}

function json(call: ServerCall, value: unknown, status = 200, more: Record<string, string> = {}): void {
  const headers = { "content-type": "application/json", ...more };
  call.respond({ status, headers, body: Buffer.from(JSON.stringify(value)) });
}

function text(call: ServerCall, body: string, status = 200): void {
  call.respond({ status, headers: { "content-type": "text/plain; charset=utf-8" }, body: Buffer.from(body) });
}

/** Browsers name what they show; programs take anything. */
function wantsPage({ method, headers }: ServerCall): boolean {
  return !(method === "GET" || method === "HEAD") || headers.accept?.includes("text/html") === true;
}

/** Triton's clients read the status, others the body. */
function readiness(call: ServerCall, ready: boolean): void {
  json(call, { ready }, ready ? 200 : 400);
}

/** With the version that calls go to now, so that whoever moved an alias can see it arrive. */
function modelReadiness(call: ServerCall, { isUp, version }: { isUp: boolean; version: string }): void {
  json(call, { ready: isUp }, isUp ? 200 : 400, { "aimass-version": version });
}

function wantsReady(body: Buffer): boolean {
  if (body.length === 0) return false;
  try {
    return (JSON.parse(body.toString()) as { ready?: unknown } | null)?.ready === true;
  } catch {
    throw new AimassError("INVALID_ARGUMENT", "The body is no JSON.", { remedy: 'Send {} or {"ready": true}.' });
  }
}

function replicaPath(target: RestTarget, model: string, routes: VersionRoutes): string {
  if (target.action === "predict") return `/models/${model}/predict`;
  return `/v2/models/${model}/versions/${routes.version}/infer`;
}

function mayBeSequence(body: Buffer): boolean {
  return body.subarray(0, sequenceSearchBytes).includes(sequenceKey);
}

function pickHeaders(headers: HeaderFields): HeaderFields {
  const picked: Record<string, string> = {};
  for (const name of forwardedHeaders) {
    const value = headers[name];
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}

function answerHeaders({ result, version }: Served): HeaderFields {
  const headers: Record<string, string> = {};
  for (const name in result.headers) if (!droppedHeaders.has(name)) headers[name] = result.headers[name] as string;
  headers["aimass-version"] = version;
  return headers;
}
