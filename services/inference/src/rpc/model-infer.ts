import { AimassError } from "@aimass/core";
import type { ServerCall } from "@aimass/h2";
import { decodeInferRequest, inferResponsePieces } from "@aimass/oip";
import { answerTrailers, type CallContext, inferCounted, largeBytes, readMessage } from "./call-context.ts";
import { answerGrpc, answerGrpcError } from "./grpc-answer.ts";
import { readUnaryMessage } from "./grpc-frames.ts";

/** ModelInfer: the hot path. Always answers. */
export async function modelInfer(context: CallContext, call: ServerCall): Promise<void> {
  try {
    const body = await call.body(context.bodyLimitBytes);
    const message = readUnaryMessage(body, call.headers["grpc-encoding"], context.bodyLimitBytes);
    const plain = message instanceof Uint8Array ? message : await message;
    const now = context.clock.monotonic();
    const read =
      plain.byteLength < largeBytes
        ? { request: decodeInferRequest(plain) }
        : await readMessage(context, call, plain, { ownsBody: true });
    const { response, servable } = await inferCounted(context, call, read, now);
    answerGrpc(call, inferResponsePieces(response, { framed: true }), answerTrailers(context, servable));
  } catch (error) {
    answerGrpcError(call, AimassError.from(error), answerTrailers(context, undefined));
  }
}
