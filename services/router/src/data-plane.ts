import type { Clock } from "@aimass/core";
import { IdleConnections } from "@aimass/h2";
import type { PolicyStore, ServiceIdentity } from "@aimass/identity";
import { ReceivedBytes } from "@aimass/rpc";
import type { Telemetry } from "@aimass/telemetry";
import type { RouterConfig } from "./config.ts";
import { Backend } from "./control/backend.ts";
import { ClientAddress } from "./control/client-address.ts";
import { ControlProxy } from "./control/control-proxy.ts";
import { FrontDoor } from "./doors/front-door.ts";
import { Guard } from "./doors/guard.ts";
import { InferDoor } from "./doors/infer-door.ts";
import { OpenStreams } from "./doors/open-streams.ts";
import { onlyModel, RestDoor } from "./doors/rest-door.ts";
import { createSmallRpcs } from "./doors/small-rpcs.ts";
import { StreamDoor } from "./doors/stream-door.ts";
import { Inference } from "./inference/inference.ts";
import { ModelFacts } from "./inference/model-facts.ts";
import { ServerInfo } from "./inference/server-info.ts";
import { TritonMetrics } from "./inference/triton-metrics.ts";
import { RouterMetrics } from "./metrics.ts";
import { CallerFactory } from "./pipeline/caller-factory.ts";
import { KeptBodies } from "./pipeline/kept-bodies.ts";
import { Quota } from "./pipeline/quota.ts";
import { RefusedTokens } from "./pipeline/refused-tokens.ts";
import { ReplicaCalls } from "./pipeline/replica-calls.ts";
import { RetryBudget } from "./pipeline/retry.ts";
import { WaitingRoom } from "./pipeline/waiting-room.ts";
import { ReplicaPool } from "./replicas/replica-pool.ts";
import type { RouteTable } from "./routes/route-table.ts";
import { Transcoder } from "./transcoding/transcoder.ts";

export interface DataPlaneOptions {
  readonly config: Pick<
    RouterConfig,
    "backends" | "allowedHosts" | "allowedOrigins" | "trustedProxies" | "defaultModel" | "stickyHeader" | "limits"
  >;
  readonly policy: PolicyStore;
  readonly table: RouteTable;
  readonly identity: ServiceIdentity;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly version: string;
}

/** Everything between a listener and the replicas, wired. Dispose to close the connections it made. */
export interface DataPlane extends Disposable {
  readonly door: FrontDoor;
  /** What all doors hold open for nothing. */
  readonly idle: IdleConnections;
  readonly info: ServerInfo;
  readonly pool: ReplicaPool;
  readonly tritonMetrics: TritonMetrics;
}

/** Wires the router's parts over a route table and a policy store that others keep up to date. */
export function createDataPlane(options: DataPlaneOptions): DataPlane {
  const { config, policy, table, identity, clock, telemetry } = options;
  const calling = createCalling(options);
  const doors = createDoors(options, calling);
  const { limits } = config;
  const { pool, transcoder, metrics, refusedTokens } = calling;
  const { addresses, streams, facts, info, callers } = doors;
  const idle = new IdleConnections({
    total: limits.idleConnections,
    perAddress: limits.idleConnectionsPerAddress,
    isProxy: (address) => addresses.isProxy(address),
    clock,
  });
  const backends = createBackends(config, clock);
  const control = new ControlProxy({
    backends,
    identity,
    policy,
    addresses,
    refusedTokens,
    clock,
    tracer: telemetry.tracer,
    metrics,
    holdMs: limits.holdMs,
    bodyTimeoutMs: limits.defaultTimeoutMs,
  });
  observe({ ...calling, streams, idle, table });
  const guard = new Guard(config);
  const smallRpcs = createSmallRpcs({ facts, info, callers, clock });
  const log = telemetry.log.scope("router.door");
  return {
    door: new FrontDoor({ ...doors, guard, smallRpcs, control, policy, clock, log }),
    idle,
    info,
    pool,
    tritonMetrics: new TritonMetrics({ facts, table, clock }),
    [Symbol.dispose]: () => {
      idle[Symbol.dispose]();
      streams[Symbol.dispose]();
      calling.series[Symbol.dispose]();
      void transcoder[Symbol.asyncDispose]();
      pool[Symbol.dispose]();
      for (const backend of Object.values(backends)) backend.close();
    },
  };
}

/** What brings a call to a replica and back. */
function createCalling({ config, policy, table, identity, clock, telemetry }: DataPlaneOptions) {
  const { limits } = config;
  const metrics = new RouterMetrics(telemetry);
  const pool = new ReplicaPool(table, clock);
  const series = table.onChange(() =>
    metrics.keepOnly((model, version) => table.models.get(model)?.versions.has(version) === true),
  );
  const room = new WaitingRoom(clock, limits.heldCalls);
  pool.onChange(() => room.wake());
  const budget = new RetryBudget(clock);
  const bodies = new KeptBodies({ bodyLimitBytes: limits.keptBodyBytes, totalLimitBytes: limits.keptBodiesBytes });
  const quota = new Quota({ totalLimit: limits.inFlight, principalLimit: limits.inFlightPerPrincipal });
  const refusedTokens = new RefusedTokens({ identity, clock, log: telemetry.log.scope("router.mesh") });
  const { inFlightPerReplica, holdMs } = limits;
  const shared = { table, pool, identity, clock, metrics, budget, bodies, room, refusedTokens };
  const calls = new ReplicaCalls({ ...shared, inFlightPerReplica, holdMs });
  const inference = new Inference({ policy, table, calls, quota, metrics, clock });
  return {
    ...{ metrics, pool, series, room, budget, bodies, quota, refusedTokens, calls, inference },
    received: new ReceivedBytes(limits.receivedBytes),
    transcoder: new Transcoder(),
  };
}

type Calling = ReturnType<typeof createCalling>;

/** What takes calls from clients, by protocol. */
function createDoors({ config, policy, table, clock, telemetry, version }: DataPlaneOptions, calling: Calling) {
  const { limits, stickyHeader } = config;
  const { pool, calls, inference, received, transcoder } = calling;
  const { defaultTimeoutMs, messageBytes: limitBytes } = limits;
  const callers = new CallerFactory({ policy, clock, tracer: telemetry.tracer, stickyHeader, defaultTimeoutMs });
  const info = new ServerInfo({ policy, table, pool, clock, version });
  const facts = new ModelFacts({ inference, calls, info });
  const addresses = new ClientAddress(config.trustedProxies);
  const streams = new OpenStreams({
    anonymousLimit: limits.anonymousStreams,
    addressLimit: limits.anonymousStreamsPerAddress,
    principalLimit: limits.streamsPerPrincipal,
    idleMs: limits.anonymousStreamIdleMs,
    addresses,
    clock,
  });
  const infer = new InferDoor({ inference, callers, received, limitBytes, clock, transcoder });
  const defaultModel = () => config.defaultModel ?? onlyModel(table.models);
  return {
    ...{ callers, info, facts, addresses, streams, infer },
    stream: new StreamDoor({ infer, callers, streams, received, limitBytes, clock }),
    rest: new RestDoor({ inference, facts, info, callers, received, limitBytes, clock, defaultModel }),
  };
}

/** Gauges that are read when somebody looks. */
function observe(
  o: Calling & {
    readonly streams: OpenStreams;
    readonly idle: IdleConnections;
    readonly table: RouteTable;
  },
): void {
  const { metrics, quota, room, pool, budget, bodies, received, idle, streams, table } = o;
  metrics.observe("aimass_router_in_flight", "Inference calls under way.", () => quota.inFlight);
  metrics.observe("aimass_router_held", "Calls that wait for a replica to come up.", () => room.size);
  metrics.observe(
    "aimass_router_ejected",
    "Model versions on replicas that get no calls because they failed or refused them.",
    () => pool.ejected,
  );
  metrics.observe("aimass_router_retry_budget", "Retries that may still be made.", () => budget.tokens);
  metrics.observe("aimass_router_kept_body_bytes", "Bodies kept for a retry.", () => bodies.totalBytes);
  metrics.observe("aimass_router_received_bytes", "Request bodies in memory.", () => received.totalBytes);
  metrics.observe("aimass_router_idle_connections", "Connections of clients that carry nothing.", () => idle.count);
  metrics.observeTotal(
    "aimass_router_idle_connections_closed_total",
    "Idle connections of clients that were closed because there were too many.",
    () => idle.shed,
  );
  metrics.observe(
    "aimass_router_anonymous_streams",
    "Open streams of callers without a credential.",
    () => streams.anonymous,
  );
  metrics.observe("aimass_router_known_streams", "Open streams of known callers.", () => streams.known);
  metrics.observeTotal(
    "aimass_router_streams_ended_total",
    "Streams that were refused because there were too many, or ended for room or because nothing moved on them.",
    () => streams.ended,
  );
  metrics.observe("aimass_router_route_age_seconds", "Age of the routes in use.", () => table.ageMs() / 1000);
  metrics.observe("aimass_router_replicas", "Replicas in the routes.", () => table.replicas.size);
}

function createBackends(config: Pick<RouterConfig, "backends">, clock: Clock) {
  return {
    auth: new Backend(config.backends.auth, clock),
    registry: new Backend(config.backends.registry, clock),
    scheduler: new Backend(config.backends.scheduler, clock),
    trainer: new Backend(config.backends.trainer, clock),
    console: new Backend(config.backends.console, clock),
  };
}
