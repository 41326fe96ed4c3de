import { systemClock } from "@aimass/core";
import { PacedBody, type ServerCall } from "@aimass/h2";
import { toConnectError } from "@aimass/rpc";
import type { DescMethod } from "@bufbuild/protobuf";
import { type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { leastBodyBytes } from "../pipeline/least-pace.ts";

/** The call behind a handler's context. */
export const serverCallKey = createContextKey<ServerCall | undefined>(undefined);

/** Lets a handler of Connect (gRPC, gRPC-Web and Connect in one) answer a call of ours. For RPCs off the hot path. */
export async function answerByHandler(call: ServerCall, handler: UniversalHandler): Promise<void> {
  const contextValues: ContextValues = createContextValues().set(serverCallKey, call);
  const answer = await handler({
    httpVersion: call.protocol === "h2" ? "2.0" : "1.1",
    url: `http://${call.authority || "localhost"}${call.path}`,
    method: call.method,
    header: new Headers(call.headers),
    body: confirmedChunks(call, handler.method.methodKind),
    signal: call.signal,
    contextValues,
  });
  const headers = Object.fromEntries(answer.header ?? []);
  const writer = call.open(answer.status, headers);
  try {
    for await (const chunk of answer.body ?? []) await writer.write(chunk);
    writer.end(Object.fromEntries(answer.trailer ?? []));
  } catch {
    writer.reset();
  }
}

/** A lone message in binary does not show that it was cut short; every other form does. Two-way streams have no pace: reflection may wait for its next question. */
async function* confirmedChunks(call: ServerCall, kind: DescMethod["methodKind"]): AsyncIterable<Buffer> {
  try {
    if (kind === "bidi_streaming") yield* call.chunks();
    else yield* new PacedBody(call.chunks(), { clock: systemClock, leastBytes: leastBodyBytes });
    if (call.headers["content-type"]?.startsWith("application/proto") === true) await call.confirmBody();
  } catch (error) {
    // Connect takes any other error for a fault of its own.
    throw toConnectError(error);
  }
}
