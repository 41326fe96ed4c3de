import { type Address, ConfigError, type Environment, readConfig, type Variables } from "@aimass/core";
import { isAddressRange } from "./control/client-address.ts";
import type { BackendName } from "./control/public-services.ts";

/** How a router runs. */
export interface RouterConfig {
  readonly listen: readonly Address[];
  readonly adminListen: Address;
  /** Where Triton's metrics endpoint is; undefined: nowhere. */
  readonly tritonMetricsListen: Address | undefined;
  readonly identityFile: string;
  readonly trustFile: string;
  /** Where routes and policy are kept over restarts; undefined: nowhere. */
  readonly stateDirectory: string | undefined;
  readonly backends: Readonly<Record<BackendName, readonly Address[]>>;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Addresses and ranges whose X-Forwarded-For and Forwarded are believed. */
  readonly trustedProxies: readonly string[];
  readonly defaultModel: string | undefined;
  readonly stickyHeader: string;
  readonly limits: RouterLimits;
  readonly tls: { readonly key: string; readonly cert: string } | undefined;
}

/** Bounds on what the router takes and keeps. */
export interface RouterLimits {
  readonly messageBytes: number;
  readonly keptBodyBytes: number;
  readonly keptBodiesBytes: number;
  readonly receivedBytes: number;
  readonly defaultTimeoutMs: number;
  readonly holdMs: number;
  readonly heldCalls: number;
  readonly inFlight: number;
  readonly inFlightPerPrincipal: number;
  readonly inFlightPerReplica: number;
  readonly connectionAgeMs: number;
  readonly idleConnections: number;
  readonly idleConnectionsPerAddress: number;
  readonly anonymousStreams: number;
  readonly anonymousStreamsPerAddress: number;
  readonly anonymousStreamIdleMs: number;
  readonly streamsPerPrincipal: number;
}

const mebi = 1024 * 1024;

/** Throws ConfigError with every problem. */
export function readRouterConfig(env: Environment): RouterConfig {
  return readConfig(env, (v) => ({
    ...readRouterListeners(v),
    identityFile: v.string("AIMASS_IDENTITY_FILE"),
    trustFile: v.string("AIMASS_TRUST_FILE"),
    stateDirectory: v.optional("AIMASS_STATE_DIR"),
    backends: {
      auth: v.addresses("AIMASS_AUTH_ADDRESSES"),
      registry: v.addresses("AIMASS_REGISTRY_ADDRESSES", ""),
      scheduler: v.addresses("AIMASS_SCHEDULER_ADDRESSES"),
      trainer: v.addresses("AIMASS_TRAINER_ADDRESSES", ""),
      console: v.addresses("AIMASS_CONSOLE_ADDRESSES", ""),
    },
    allowedHosts: readList(v.optional("AIMASS_ALLOWED_HOSTS")),
    allowedOrigins: readList(v.optional("AIMASS_ALLOWED_ORIGINS")),
    trustedProxies: readRanges(v.optional("AIMASS_TRUSTED_PROXIES")),
    defaultModel: v.optional("AIMASS_DEFAULT_MODEL"),
    stickyHeader: v.string("AIMASS_STICKY_HEADER", "x-sticky-key").toLowerCase(),
    limits: readLimits(v),
    tls: readTls(v),
  }));
}

function readRouterListeners(v: Variables): Pick<RouterConfig, "listen" | "adminListen" | "tritonMetricsListen"> {
  const listen = v.addresses("AIMASS_LISTEN", "127.0.0.1:5000,127.0.0.1:8000,127.0.0.1:8001");
  const adminListen = v.address("AIMASS_ADMIN_LISTEN", "127.0.0.1:0");
  const [tritonMetricsListen] = v.addresses("AIMASS_TRITON_METRICS_LISTEN", "");
  v.ownPorts({
    AIMASS_LISTEN: listen,
    AIMASS_ADMIN_LISTEN: adminListen,
    AIMASS_TRITON_METRICS_LISTEN: tritonMetricsListen ?? [],
  });
  return { listen, adminListen, tritonMetricsListen };
}

/** Pairs of which one can only be reached within the other. */
function relateLimits(v: Variables): void {
  v.atMost("AIMASS_RETRY_BODY_BYTES", "AIMASS_RETRY_BODIES_BYTES", { because: "a larger body would never be kept" });
  v.atMost("AIMASS_MAX_MESSAGE_BYTES", "AIMASS_MAX_RECEIVED_BYTES", {
    times: 2,
    because: "one caller may hold half of all bytes, and a larger message would never be taken",
  });
  v.atMost("AIMASS_MAX_IN_FLIGHT_PER_PRINCIPAL", "AIMASS_MAX_IN_FLIGHT", { because: "one caller would be all" });
  v.atMost("AIMASS_HELD_CALLS", "AIMASS_MAX_IN_FLIGHT", { because: "calls that wait are under way too" });
  v.atMost("AIMASS_HOLD_MS", "AIMASS_DEFAULT_TIMEOUT_MS", { because: "a call ends at its deadline" });
  v.atMost("AIMASS_MAX_IDLE_CONNECTIONS_PER_ADDRESS", "AIMASS_MAX_IDLE_CONNECTIONS", {
    because: "one address would be all",
  });
  v.atMost("AIMASS_MAX_ANONYMOUS_STREAMS_PER_ADDRESS", "AIMASS_MAX_ANONYMOUS_STREAMS", {
    because: "one address would be all",
  });
}

function readLimits(v: Variables): RouterLimits {
  relateLimits(v);
  const bytes = (name: string, fallback: number, maximum: number) =>
    v.integer(name, { fallback, minimum: 1024, maximum });
  const count = (name: string, fallback: number) => v.integer(name, { fallback, minimum: 1, maximum: 10_000_000 });
  const milliseconds = (name: string, fallback: number) =>
    v.integer(name, { fallback, minimum: 0, maximum: 86_400_000 });
  return {
    messageBytes: bytes("AIMASS_MAX_MESSAGE_BYTES", 256 * mebi, 2 ** 31 - 1),
    keptBodyBytes: bytes("AIMASS_RETRY_BODY_BYTES", 4 * mebi, 2 ** 31 - 1),
    keptBodiesBytes: bytes("AIMASS_RETRY_BODIES_BYTES", 256 * mebi, 2 ** 40),
    receivedBytes: bytes("AIMASS_MAX_RECEIVED_BYTES", 2048 * mebi, 2 ** 40),
    defaultTimeoutMs: milliseconds("AIMASS_DEFAULT_TIMEOUT_MS", 120_000),
    holdMs: milliseconds("AIMASS_HOLD_MS", 5000),
    heldCalls: count("AIMASS_HELD_CALLS", 1000),
    inFlight: count("AIMASS_MAX_IN_FLIGHT", 16_384),
    inFlightPerPrincipal: count("AIMASS_MAX_IN_FLIGHT_PER_PRINCIPAL", 4096),
    inFlightPerReplica: count("AIMASS_SHARD_IN_FLIGHT", 8),
    connectionAgeMs: milliseconds("AIMASS_CONNECTION_AGE_MS", 600_000),
    idleConnections: count("AIMASS_MAX_IDLE_CONNECTIONS", 4096),
    idleConnectionsPerAddress: count("AIMASS_MAX_IDLE_CONNECTIONS_PER_ADDRESS", 512),
    anonymousStreams: count("AIMASS_MAX_ANONYMOUS_STREAMS", 4096),
    anonymousStreamsPerAddress: count("AIMASS_MAX_ANONYMOUS_STREAMS_PER_ADDRESS", 512),
    anonymousStreamIdleMs: v.integer("AIMASS_ANONYMOUS_STREAM_IDLE_MS", {
      fallback: 600_000,
      minimum: 100,
      maximum: 86_400_000,
    }),
    streamsPerPrincipal: count("AIMASS_MAX_STREAMS_PER_PRINCIPAL", 4096),
  };
}

function readTls(v: Variables): RouterConfig["tls"] {
  const key = v.secret("AIMASS_TLS_KEY", "");
  const cert = v.secret("AIMASS_TLS_CERT", "");
  if (key === "" && cert === "") return undefined;
  // Half a pair is a mistake, and clear text in its place would go unnoticed: the missing half is named as any variable that is required.
  return { key: key || v.secret("AIMASS_TLS_KEY"), cert: cert || v.secret("AIMASS_TLS_CERT") };
}

function readRanges(text: string | undefined): string[] {
  const ranges = readList(text);
  const wrong = ranges.filter((range) => !isAddressRange(range));
  if (wrong.length === 0) return ranges;
  throw new ConfigError([`AIMASS_TRUSTED_PROXIES has "${wrong[0]}"; a range looks like 10.0.0.0/8.`]);
}

function readList(text: string | undefined): string[] {
  return (text ?? "").split(",").flatMap((part) => part.trim() || []);
}
