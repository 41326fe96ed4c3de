import { type Address, formatAddress } from "@aimass/core";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { Client, credentials } from "@grpc/grpc-js";
import { staticTarget } from "./static-resolver.ts";

const maxMessageBytes = 64 * 1024 * 1024;

const clients = new Map<string, Client>();

/** The channel to a service at these addresses, one for all clients of the process. */
export function channelTo(service: DescService, addresses: readonly Address[]): Client {
  const key = `${service.typeName} ${addresses.map(formatAddress).join(",")}`;
  let client = clients.get(key);
  if (client === undefined) {
    client = new Client(staticTarget(addresses), credentials.createInsecure(), channelOptions(service));
    clients.set(key, client);
  }
  return client;
}

/** Closes every channel of the process, or those to `addresses`. Calls that run on them fail. Clients made before open a new channel when used again. */
export function closeServiceClients(addresses?: readonly Address[]): void {
  const suffix = addresses === undefined ? "" : ` ${addresses.map(formatAddress).join(",")}`;
  for (const [key, client] of clients) {
    if (!key.endsWith(suffix)) continue;
    clients.delete(key);
    client.close();
  }
}

function channelOptions(service: DescService) {
  return {
    "grpc.service_config": JSON.stringify(serviceConfig(service)),
    "grpc.service_config_disable_resolution": 1,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_http_proxy": 0,
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 3000,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2000,
    "grpc.max_send_message_length": maxMessageBytes,
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc-node.flow_control_window": 1024 * 1024,
  };
}

/**
 * Round robin, and up to four tries of a call whose connection broke before its answer began, for methods of which a repeat does no harm. Others are only sent again
 * when the connection never took them, which the channel does by itself.
 */
function serviceConfig(service: DescService): object {
  const names = service.methods.filter(isSafeToRepeat).map((m) => ({ service: service.typeName, method: m.name }));
  const retryPolicy = {
    maxAttempts: 4,
    initialBackoff: "0.1s",
    maxBackoff: "1s",
    backoffMultiplier: 2,
    retryableStatusCodes: ["UNAVAILABLE"],
  };
  return {
    loadBalancingConfig: [{ round_robin: {} }],
    methodConfig: names.length === 0 ? [] : [{ name: names, retryPolicy }],
  };
}

/** As the contract declares (`idempotency_level`); what was streamed to a server cannot be streamed again. */
function isSafeToRepeat(method: DescMethod): boolean {
  if (method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming") return false;
  return method.idempotency !== Idempotency.IDEMPOTENCY_UNKNOWN;
}
