import { AimassError, type Clock } from "@aimass/core";
import type { BodyMeter, ResponseWriter, ServerCall } from "@aimass/h2";
import type { Principal } from "@aimass/identity";
import type { ReceivedBytes } from "@aimass/rpc";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { Served } from "../pipeline/call.ts";
import type { CallerFactory } from "../pipeline/caller-factory.ts";
import { parseGrpcTimeout } from "../pipeline/deadline.ts";
import { frame, framePrefix, prefixBytes, readFrames } from "./frames.ts";
import { clientTrailers, type InferDoor } from "./infer-door.ts";
import type { OpenStreams } from "./open-streams.ts";
import { connectErrorBody, errorTrailers, okTrailers } from "./rpc-status.ts";

/** Path of the streaming call. */
export const streamInferPath = "/inference.GRPCInferenceService/ModelStreamInfer";

/** Requests of one stream that are under way at a time; then the client is slowed down. */
const maxUnderWay = 64;

/**
 * parameters["triton_final_response"] = true, as the fields of a ModelInferResponse: Triton's clients wait for it, and every answer here is its
 * request's last.
 */
const finalResponse = new BinaryWriter()
  .tag(4, 2)
  .bytes(
    new BinaryWriter()
      .tag(1, 2)
      .string("triton_final_response")
      .tag(2, 2)
      .bytes(new BinaryWriter().tag(1, 0).bool(true).finish())
      .finish(),
  )
  .finish();

/** ModelStreamInfer: every message is an independent request, answered in the order of the requests; errors come in-band and the stream goes on. */
export class StreamDoor {
  readonly #infer: InferDoor;
  readonly #callers: CallerFactory;
  readonly #streams: OpenStreams;
  readonly #received: ReceivedBytes;
  readonly #limitBytes: number;
  readonly #clock: Clock;

  constructor(options: {
    infer: InferDoor;
    callers: CallerFactory;
    streams: OpenStreams;
    received: ReceivedBytes;
    limitBytes: number;
    clock: Clock;
  }) {
    this.#infer = options.infer;
    this.#callers = options.callers;
    this.#streams = options.streams;
    this.#received = options.received;
    this.#limitBytes = options.limitBytes;
    this.#clock = options.clock;
  }

  async answer(call: ServerCall): Promise<void> {
    const timeoutMs = parseGrpcTimeout(call.headers["grpc-timeout"]);
    // A bad credential ends the stream before it begins.
    const caller = this.#callers.create(call, "router.stream", timeoutMs);
    caller.span.end();
    this.#infer.assertNoStranger(caller);
    await this.#streams.hold(call, caller.principal, (held) => this.#answerAll(held, caller.principal, timeoutMs));
  }

  async #answerAll(call: ServerCall, { id }: Principal, timeoutMs: number | undefined): Promise<void> {
    const endsAt = timeoutMs === undefined ? undefined : this.#clock.monotonic() + timeoutMs;
    const meter = this.#received.of(id);
    const writer = call.open(200, { "content-type": "application/grpc" });
    const answers = new OrderedAnswers(writer);
    try {
      for await (const framed of readFrames(call.chunks(), { limitBytes: this.#limitBytes, meter })) {
        const remainingMs = endsAt === undefined ? undefined : endsAt - this.#clock.monotonic();
        const answering = this.#answerOne(call, { framed, meter, remainingMs }).finally(() =>
          meter.remove(framed.length),
        );
        await answers.add(answering);
      }
      await answers.settled();
      writer.end(okTrailers);
    } catch (error) {
      this.#infer.countUnrun(error);
      await answers.settled();
      writer.end(errorTrailers(AimassError.from(error)));
    }
  }

  async #answerOne(
    call: ServerCall,
    { framed, meter, remainingMs }: { framed: Buffer; meter: BodyMeter; remainingMs: number | undefined },
  ): Promise<readonly Uint8Array[]> {
    try {
      // The credential is looked at for each message: a long stream ends with the right to use it.
      const caller = this.#callers.create(call, "router.infer", remainingMs);
      return streamAnswer(
        await this.#infer.inferFramed(framed, { encoding: call.headers["grpc-encoding"], meter, caller }),
      );
    } catch (error) {
      return [frame(inBandError(AimassError.from(error).advice))];
    }
  }
}

/** A framed ModelStreamInferResponse {error_message 1, infer_response 2}; what the replica answered is not copied. */
function streamAnswer(served: Served): Uint8Array[] {
  if (served.code !== "OK") {
    const { message } = JSON.parse(connectErrorBody(clientTrailers(served)).body.toString()) as { message: string };
    return [frame(inBandError(message))];
  }
  const response = served.result.body.subarray(prefixBytes);
  const length = response.length + finalResponse.length;
  const head = new BinaryWriter().tag(2, 2).uint32(length).finish();
  return [framePrefix(head.length + length), head, response, finalResponse];
}

function inBandError(message: string): Uint8Array {
  return new BinaryWriter().tag(1, 2).string(message).finish();
}

/** Writes answers in the order in which they were asked for, and holds the reader back while too many are under way. */
class OrderedAnswers {
  readonly #writer: ResponseWriter;
  #last: Promise<void> = Promise.resolve();
  #underWay = 0;
  #wake: (() => void) | undefined;

  constructor(writer: ResponseWriter) {
    this.#writer = writer;
  }

  add(answer: Promise<readonly Uint8Array[]>): Promise<void> | undefined {
    this.#underWay += 1;
    const before = this.#last;
    this.#last = answer.then(async (framed) => {
      await before;
      await this.#writer.write(framed);
      this.#underWay -= 1;
      this.#wake?.();
    });
    if (this.#underWay < maxUnderWay) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  settled(): Promise<void> {
    return this.#last;
  }
}
