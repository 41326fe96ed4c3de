import { AimassError, type Clock, joinPieces } from "@aimass/core";
import type { BodyMeter, HeaderFields, ServerCall } from "@aimass/h2";
import { peekModel, peekModelStart } from "@aimass/oip";
import type { Decompression, ReceivedBytes } from "@aimass/rpc";
import type { Inference } from "../inference/inference.ts";
import type { Served } from "../pipeline/call.ts";
import type { CallerFactory, TracedCaller } from "../pipeline/caller-factory.ts";
import { parseGrpcTimeout, parseMilliseconds } from "../pipeline/deadline.ts";
import type { Transcoder } from "../transcoding/transcoder.ts";
import { assertUnaryFrame, frameInTurns, framePrefix, prefixBytes, trailerFrame, withPlainFrame } from "./frames.ts";
import { answerStatus, type Codec, codecOf, grpcContentType, type Protocol } from "./protocol.ts";
import { okTrailers } from "./rpc-status.ts";
import { type WithBodyOptions, withBody, withDecompressed } from "./with-body.ts";

/** Path of the call that runs a model, at the door and at the replica. */
export const inferPath = "/inference.GRPCInferenceService/ModelInfer";

/** How many times its size a compressed body of a caller without a credential may become. */
export const anonymousRatio = 100;

const grpcHeaders: HeaderFields = Object.freeze({ "content-type": "application/grpc" });
const replicaPath = () => inferPath;

/** ModelInfer by gRPC, gRPC-Web and Connect: the message goes to the replica as it came. */
export class InferDoor {
  readonly #inference: Inference;
  readonly #callers: CallerFactory;
  readonly #received: ReceivedBytes;
  readonly #limitBytes: number;
  readonly #clock: Clock;
  readonly #transcoder: Transcoder;

  constructor(options: {
    inference: Inference;
    callers: CallerFactory;
    received: ReceivedBytes;
    limitBytes: number;
    clock: Clock;
    transcoder: Transcoder;
  }) {
    this.#clock = options.clock;
    this.#transcoder = options.transcoder;
    this.#received = options.received;
    this.#inference = options.inference;
    this.#callers = options.callers;
    this.#limitBytes = options.limitBytes;
  }

  async answer(call: ServerCall, protocol: Protocol): Promise<void> {
    try {
      await this.#answer(call, protocol);
    } catch (error) {
      this.#inference.countUnrun(error);
      throw error;
    }
  }

  async #answer(call: ServerCall, protocol: Protocol): Promise<void> {
    switch (protocol) {
      case "grpc":
        return this.#answerGrpc(call);
      case "grpc-web":
      case "grpc-web-text":
        return this.#answerWeb(call, protocol);
      default:
        return this.#answerConnect(call);
    }
  }

  /** Counts what was refused before it could run. */
  countUnrun(error: unknown): void {
    this.#inference.countUnrun(error);
  }

  /** Throws UNAUTHENTICATED for a caller who may run nothing, whatever the request says. */
  assertNoStranger(caller: TracedCaller): void {
    this.#inference.assertNoStranger(caller);
  }

  /** Runs one framed request for a caller. */
  infer(framed: Buffer, caller: TracedCaller): Promise<Served> {
    const { name, version, hasSequence } = peekModel(framed, prefixBytes);
    return this.#inference.run({
      caller,
      model: name,
      version,
      format: "grpc",
      path: replicaPath,
      headers: grpcHeaders,
      body: framed,
      isIdempotent: !hasSequence,
    });
  }

  async #answerGrpc(call: ServerCall): Promise<void> {
    const { headers } = call;
    const caller = this.#callers.create(call, "router.infer", parseGrpcTimeout(headers["grpc-timeout"]));
    using _ = caller.span;
    const codec = assertCodec(call);
    const options = this.#bodyOf(call, caller, this.#limitBytes + prefixBytes, startOf(codec));
    await withBody(options, async ({ body, meter }) => {
      assertUnaryFrame(body);
      const served = await this.inferFramed(body, { encoding: headers["grpc-encoding"], meter, caller, codec });
      const trailers = clientTrailers(served);
      if (served.code !== "OK") return answerStatus(call, "grpc", trailers);
      const answered = { "content-type": grpcContentType("grpc", codec) };
      const pieces = await this.#answerFrame(call, served, codec);
      call.respond({ status: 200, headers: answered, body: pieces, trailers });
    });
  }

  async #answerWeb(call: ServerCall, protocol: "grpc-web" | "grpc-web-text"): Promise<void> {
    const { headers } = call;
    const isText = protocol === "grpc-web-text";
    const caller = this.#callers.create(call, "router.infer", parseGrpcTimeout(headers["grpc-timeout"]));
    using _ = caller.span;
    const codec = assertCodec(call);
    const framedLimit = this.#limitBytes + prefixBytes;
    const bodyLimit = isText ? Math.ceil(framedLimit / 3) * 4 : framedLimit;
    const options = this.#bodyOf(call, caller, bodyLimit, isText ? undefined : startOf(codec));
    await withBody(options, async ({ body: sent, meter }) => {
      const body = isText ? await this.#transcoder.run("from base64", sent, call.signal) : sent;
      assertUnaryFrame(body);
      const served = await this.inferFramed(body, { encoding: headers["grpc-encoding"], meter, caller, codec });
      const trailers = clientTrailers(served);
      if (served.code !== "OK") return answerStatus(call, protocol, trailers);
      const pieces = [...(await this.#answerFrame(call, served, codec)), trailerFrame(trailers)];
      const answered = { "content-type": grpcContentType(protocol, codec) };
      call.respond({ status: 200, headers: answered, body: isText ? await this.#toText(call, pieces) : pieces });
    });
  }

  async #answerConnect(call: ServerCall): Promise<void> {
    const { headers } = call;
    const type = headers["content-type"]?.split(";", 1)[0]?.trim() ?? "";
    const isJson = type === "application/json";
    if (call.method !== "POST" || (!isJson && type !== "application/proto")) throw wrongType(call, type);
    const timeoutMs = parseMilliseconds("connect-timeout-ms", headers["connect-timeout-ms"]);
    const caller = this.#callers.create(call, "router.infer", timeoutMs);
    using _ = caller.span;
    const limitBytes = this.#limitBytes;
    await withBody(this.#bodyOf(call, caller, limitBytes, isJson ? undefined : 0), async ({ body: sent, meter }) => {
      if (!isJson) await call.confirmBody();
      const decompression = this.#decompression(caller, headers["content-encoding"], meter, isJson ? undefined : 0);
      const served = await withDecompressed(sent, { ...decompression, limitBytes }, async (body) => {
        const message = isJson ? await this.#transcoder.run("request from JSON", body, call.signal) : body;
        return this.infer(await frameInTurns(message), caller);
      });
      if (served.code !== "OK") return answerStatus(call, "connect", clientTrailers(served));
      const message = served.result.body.subarray(prefixBytes);
      call.respond({
        status: 200,
        headers: { "content-type": type, "trailer-aimass-version": served.version },
        body: isJson ? await this.#transcoder.run("answer to JSON", message, call.signal) : message,
      });
    });
  }

  /** Runs one framed request, which may be compressed, for a caller. */
  inferFramed(
    framed: Buffer,
    {
      encoding,
      meter,
      caller,
      codec = "proto",
    }: { encoding: string | undefined; meter: BodyMeter; caller: TracedCaller; codec?: Codec },
  ): Promise<Served> {
    const start = codec === "proto" ? 0 : undefined;
    const decompression = { ...this.#decompression(caller, encoding, meter, start), limitBytes: this.#limitBytes };
    return withPlainFrame(framed, decompression, async (plain) => {
      if (codec === "proto") return this.infer(plain, caller);
      const json = plain.subarray(prefixBytes);
      const message = await this.#transcoder.run("request from JSON", json, caller.signal);
      return this.infer(await frameInTurns(message), caller);
    });
  }

  async #answerFrame(call: ServerCall, served: Served, codec: Codec): Promise<readonly Buffer[]> {
    const { body } = served.result;
    if (codec === "proto") return [body];
    const json = await this.#transcoder.run("answer to JSON", body.subarray(prefixBytes), call.signal);
    return [framePrefix(json.length), json];
  }

  async #toText(call: ServerCall, pieces: readonly Buffer[]): Promise<Buffer> {
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
    return this.#transcoder.run("to base64", await joinPieces([...pieces], size), call.signal);
  }

  /** How a body is read; `at` says where the message begins in it, undefined that its model cannot be read from its start. */
  #bodyOf(call: ServerCall, caller: TracedCaller, limitBytes: number, at: number | undefined): WithBodyOptions {
    this.#inference.assertNoStranger(caller);
    const remainingMs = caller.deadlineAt - this.#clock.monotonic();
    const isCompressed = [call.headers["grpc-encoding"], call.headers["content-encoding"]].some(isEncoding);
    const onStart = isCompressed || at === undefined ? undefined : this.#judge(caller, at);
    return { call, caller, received: this.#received, limitBytes, remainingMs, ...(onStart && { onStart }) };
  }

  #decompression(
    caller: TracedCaller,
    encoding: string | undefined,
    meter: BodyMeter,
    at: number | undefined,
  ): Decompression {
    return {
      encoding,
      limitBytes: this.#limitBytes,
      meter,
      ...(caller.principal.kind === "anonymous" && { maxRatio: anonymousRatio }),
      ...(at !== undefined && { onStart: this.#judge(caller, at) }),
    };
  }

  /** Decides by the model that the start of a request names, before the rest is read or decompressed. */
  #judge(caller: TracedCaller, at: number): (start: Buffer) => void {
    return (start) => {
      const named = peekModelStart(start, at);
      if (named !== undefined) this.#inference.assertRunnable({ caller, model: named.name, version: named.version });
    };
  }
}

/** The codec of a gRPC or gRPC-Web call. Throws INVALID_ARGUMENT for one that is not known. */
function assertCodec(call: ServerCall): Codec {
  const type = call.headers["content-type"];
  const codec = codecOf(type);
  if (codec === undefined) throw wrongType(call, type ?? "");
  return codec;
}

/** Where a message begins in its frame, when its model can be read from there. */
function startOf(codec: Codec): number | undefined {
  return codec === "proto" ? prefixBytes : undefined;
}

function isEncoding(encoding: string | undefined): boolean {
  return encoding !== undefined && encoding !== "identity";
}

/** A replica's trailers as the caller gets them. What was said to the router alone is left out. */
export function clientTrailers({ result, code, version }: Served): HeaderFields {
  if (code === "OK") return { ...okTrailers, "aimass-version": version };
  const said = result.trailers["grpc-status"] === undefined ? result.headers : result.trailers;
  const trailers: Record<string, string> = { "grpc-status": said["grpc-status"] ?? "13", "aimass-version": version };
  for (const name of ["grpc-message", "grpc-status-details-bin", "grpc-retry-pushback-ms"]) {
    const value = said[name];
    if (value !== undefined) trailers[name] = value;
  }
  return trailers;
}

function wrongType(call: ServerCall, type: string): AimassError {
  return new AimassError(
    "UNIMPLEMENTED",
    `${call.method} with content type "${type.slice(0, 100)}" does not work here.`,
    {
      reason: "UNKNOWN_CONTENT_TYPE",
      remedy:
        "POST with application/grpc, application/grpc-web (each with +proto or +json), application/proto or application/json.",
    },
  );
}
