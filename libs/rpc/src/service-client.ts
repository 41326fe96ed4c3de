import { type Address, AimassError } from "@aimass/core";
import { type ServiceIdentity, serviceTokenRefused } from "@aimass/identity";
import { currentTraceparent, type Telemetry } from "@aimass/telemetry";
import type { DescService } from "@bufbuild/protobuf";
import type { Client, Transport } from "@connectrpc/connect";
import { createClientOver } from "./client-methods.ts";
import { channelTo } from "./grpc-channels.ts";
import { createGrpcTransport } from "./grpc-transport.ts";
import { RpcMetrics } from "./rpc-metrics.ts";

export interface ServiceClientOptions {
  /** Where the service runs; calls go round robin over those that answer. */
  readonly addresses: readonly Address[];
  readonly identity: ServiceIdentity;
  /** Principal this service acts for, for instance "user:ada". Default: itself. */
  readonly onBehalfOf?: string;
  readonly telemetry?: Telemetry;
  /** Deadline of unary calls that set none, in milliseconds; 0: none. Default 10 000. Streams have none. */
  readonly timeoutMs?: number;
}

/**
 * A client of another service of the mesh. Calls carry this process's service token and the trace context of the code that makes them; a header given with
 * a call wins over both. Errors are AimassErrors. Cheap: clients of one service at the same addresses share a channel (`closeServiceClients` ends them all).
 *
 * ### Example
 * ```ts
 * const models = createServiceClient(ModelService, { addresses, identity, onBehalfOf: job.createdBy });
 * const { version } = await models.createVersion(request, { timeoutMs: 120_000, signal });
 * ```
 */
export function createServiceClient<S extends DescService>(service: S, options: ServiceClientOptions): Client<S> {
  return createClientOver(service, createServiceTransport(service, options));
}

/** What a client of a service speaks through, for methods whose messages are read in another way. */
export function createServiceTransport(service: DescService, options: ServiceClientOptions): Transport {
  const metrics = options.telemetry && new RpcMetrics(options.telemetry.metrics, "client");
  const transport = createGrpcTransport({
    channel: () => channelTo(service, options.addresses),
    headers: () => callHeaders(options),
    defaultTimeoutMs: options.timeoutMs ?? 10_000,
    onEnd: (method, error, startedAt) => metrics?.ended(method, error?.code ?? "OK", performance.now() - startedAt),
  });
  return withFreshToken(transport, service, options);
}

/**
 * A refused service token is dropped, and a unary call is sent once more with a fresh one: the refusal comes before anything is done. What remains is
 * UNAVAILABLE: whoever is behind the call did nothing wrong.
 */
function withFreshToken(transport: Transport, service: DescService, options: ServiceClientOptions): Transport {
  const isRefusal = (error: unknown) => error instanceof AimassError && error.reason === serviceTokenRefused;
  const refused = (error: unknown): unknown => {
    if (!isRefusal(error)) return error;
    options.identity.dropToken();
    const said = AimassError.from(error).message;
    options.telemetry?.log.scope("rpc.client").error("service token refused", { service: service.typeName, said });
    return new AimassError("UNAVAILABLE", `${service.typeName} does not take this service's token: ${said}`, {
      reason: serviceTokenRefused,
      remedy: "Compare the clocks of the machines.",
      retryAfterMs: 1000,
      cause: error,
    });
  };
  return {
    async unary(...call) {
      try {
        return await transport.unary(...call);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        options.identity.dropToken();
        return await transport.unary(...call).catch((again: unknown) => Promise.reject(refused(again)));
      }
    },
    async stream(...call) {
      const response = await transport.stream(...call);
      return { ...response, message: mapError(response.message, refused) };
    },
  };
}

async function* mapError<T>(messages: AsyncIterable<T>, map: (error: unknown) => unknown): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw map(error);
  }
}

function callHeaders(options: ServiceClientOptions): Record<string, string> {
  const headers: Record<string, string> = { "aimass-service": options.identity.token() };
  if (options.onBehalfOf !== undefined) headers["aimass-principal"] = options.onBehalfOf;
  const traceparent = currentTraceparent();
  if (traceparent !== undefined) headers.traceparent = traceparent;
  return headers;
}
