import type { Address } from "@aimass/core";
import type { ServiceIdentity } from "@aimass/identity";
import { currentTraceparent, type Telemetry } from "@aimass/telemetry";
import type { DescService } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
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
  const metrics = options.telemetry && new RpcMetrics(options.telemetry.metrics, "client");
  const transport = createGrpcTransport({
    channel: () => channelTo(service, options.addresses),
    headers: () => callHeaders(options),
    defaultTimeoutMs: options.timeoutMs ?? 10_000,
    onEnd: (method, error, startedAt) => metrics?.ended(method, error?.code ?? "OK", performance.now() - startedAt),
  });
  return createClientOver(service, transport);
}

function callHeaders(options: ServiceClientOptions): Record<string, string> {
  const headers: Record<string, string> = { "aimass-service": options.identity.token() };
  if (options.onBehalfOf !== undefined) headers["aimass-principal"] = options.onBehalfOf;
  const traceparent = currentTraceparent();
  if (traceparent !== undefined) headers.traceparent = traceparent;
  return headers;
}
