import { AimassError, type Clock, type Code } from "@aimass/core";
import type { HeaderFields, ServerCall } from "@aimass/h2";
import { type InferResponse, peekModel } from "@aimass/oip";
import type { Span, Tracer } from "@aimass/telemetry";
import type { Codec } from "../codec/codec.ts";
import type { ReadCall } from "../codec/read-call.ts";
import type { ReplicaMetrics } from "../replica/metrics.ts";
import type { Servable } from "../servables/servable.ts";
import type { ServableSet } from "../servables/servable-set.ts";
import { deadlineOf } from "./deadline.ts";
import { findServable } from "./find-servable.ts";
import { infer } from "./infer.ts";

/** What every call handler works with. */
export interface CallContext {
  readonly servables: ServableSet;
  readonly clock: Clock;
  readonly tracer: Tracer;
  readonly metrics: ReplicaMetrics;
  readonly codec: Codec;
  /** Largest body or message, in bytes. */
  readonly bodyLimitBytes: number;
  /** True once the process is ending. */
  readonly isDraining: () => boolean;
  /** Device id, for metadata. */
  readonly device: string;
}

/** gRPC messages from this size on are read by the codec, in bytes: the hot path of smaller ones has no turn of the event loop to spare. */
export const largeBytes = 512 * 1024;

/** Answers a request that was decoded, with its span and counts. `now`: when it had come whole, in monotonic milliseconds; its deadline counts from there. */
export async function inferCounted(
  context: CallContext,
  call: ServerCall,
  { request, checked }: Pick<ReadCall, "request" | "checked">,
  now = context.clock.monotonic(),
): Promise<{ response: InferResponse; servable: Servable }> {
  const servable = findServable(context.servables, call.headers, {
    name: request.modelName,
    version: request.modelVersion,
  });
  const span = startSpan(context.tracer, call.headers, servable);
  let code: Code | "OK" = "OK";
  try {
    const deadline = deadlineOf(call.headers["grpc-timeout"], now);
    const { codec } = context;
    return {
      response: await infer(servable, request, { deadline, now, signal: call.signal, codec, checked }),
      servable,
    };
  } catch (error) {
    const failure = AimassError.from(error);
    code = failure.code;
    span.fail(failure);
    throw failure;
  } finally {
    context.metrics.answered(servable, code);
    span.end();
  }
}

/** The trailers a router reads after an answer: how much waits here, and which version served. */
export function answerTrailers(context: CallContext, servable: Servable | undefined): Record<string, string> {
  const depth = String(servable?.waiting ?? context.servables.waiting);
  if (servable === undefined) return { "aimass-queue-depth": depth };
  return { "aimass-queue-depth": depth, "aimass-version": String(servable.plan.name.version) };
}

function startSpan(tracer: Tracer, headers: HeaderFields, servable: Servable): Span {
  const attributes = { "aimass.model": servable.key };
  return tracer.start("inference.infer", { parent: headers.traceparent, kind: "server", attributes });
}

/** Reads a gRPC message: a small one at once, whatever model it is for. */
export async function readMessage(
  context: CallContext,
  call: ServerCall,
  message: Uint8Array,
  { ownsBody }: { ownsBody: boolean },
): Promise<ReadCall> {
  const { name, version } = peekModel(message);
  const { plan } = findServable(context.servables, call.headers, { name, version });
  const body = { kind: "grpc", body: message, model: name, version, limitBytes: context.bodyLimitBytes } as const;
  return context.codec.read(body, plan, { ownsBody, signal: call.signal });
}
