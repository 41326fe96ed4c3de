import { AimassError } from "@aimass/core";
import type { ResponseWriter, ServerCall } from "@aimass/h2";
import { decodeInferRequest, type InferRequest, streamInferResponsePieces } from "@aimass/oip";
import { answerTrailers, type CallContext, inferCounted, largeBytes, readMessage } from "./call-context.ts";
import { errorTrailers } from "./grpc-answer.ts";
import { readMessages } from "./grpc-frames.ts";

/** Messages of one stream that are under way at a time; the stream is read no further until one is done. */
const maxUnderWay = 64;

/**
 * ModelStreamInfer: every message is a request of its own, answered when it is done, so answers may overtake each other (the `id` tells them apart). A request that
 * fails is answered in-band and the stream goes on; only a stream that cannot be read any further ends with an error status.
 */
export async function modelStreamInfer(context: CallContext, call: ServerCall): Promise<void> {
  const writer = call.open(200, { "content-type": "application/grpc" });
  const underWay = new Set<Promise<void>>();
  try {
    for await (const message of readMessages(call.chunks(), call.headers["grpc-encoding"], context.bodyLimitBytes)) {
      const answering = answerOne(context, call, writer, message).finally(() => underWay.delete(answering));
      underWay.add(answering);
      if (underWay.size >= maxUnderWay) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    writer.end({ "grpc-status": "0", ...answerTrailers(context, undefined) });
  } catch (error) {
    await Promise.all(underWay);
    writer.end(errorTrailers(AimassError.from(error)));
  }
}

async function answerOne(
  context: CallContext,
  call: ServerCall,
  writer: ResponseWriter,
  message: Uint8Array,
): Promise<void> {
  let request: InferRequest | undefined;
  let framed: readonly Uint8Array[];
  try {
    const now = context.clock.monotonic();
    const read =
      message.byteLength < largeBytes
        ? { request: decodeInferRequest(message) }
        : await readMessage(context, call, message, { ownsBody: false });
    request = read.request;
    const { response } = await inferCounted(context, call, read, now);
    framed = streamInferResponsePieces(response, { framed: true });
  } catch (error) {
    framed = streamInferResponsePieces(failedAnswer(request, AimassError.from(error)), { framed: true });
  }
  await writer.write(framed);
}

function failedAnswer(request: InferRequest | undefined, error: AimassError) {
  const id = request?.id ?? "";
  return { errorMessage: id === "" ? error.advice : `[request id: ${id}] ${error.advice}` };
}
