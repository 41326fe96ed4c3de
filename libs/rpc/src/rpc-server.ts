import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { Health } from "@aimass/api/health";
import { type Address, AimassError, type Clock, codeFromNumber, formatAddress } from "@aimass/core";
import { Connections, IdleConnections } from "@aimass/h2";
import type { PolicyStore, ServiceIdentity } from "@aimass/identity";
import type { Telemetry } from "@aimass/telemetry";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { createCallInterceptor } from "./call-interceptor.ts";
import { type Caller, callerKey } from "./caller.ts";
import { RunningCalls } from "./drain.ts";
import { toConnectError } from "./error-mapping.ts";
import { createHealthService } from "./health-service.ts";
import { ReceivedBytes } from "./received-bytes.ts";
import { addReflection } from "./reflection-service.ts";
import { countedCompressions, RequestBody } from "./request-bodies.ts";
import { createRequestGate, type GateOptions } from "./request-gate.ts";
import { RpcMetrics } from "./rpc-metrics.ts";
import { explainUnknownFields, strictJson } from "./unknown-fields.ts";

/** How a control-plane service is served. */
export interface ServeRpcOptions {
  /** Of the service, for messages: "registry". */
  readonly name: string;
  readonly listen: Address;
  readonly identity: ServiceIdentity;
  /** Authenticates the users' credentials; without one only services are known. */
  readonly policy?: PolicyStore;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** What reflection and health tell about. */
  readonly services: readonly DescService[];
  readonly routes: (router: ConnectRouter) => void;
  /** Which roles may call a service; undefined: every service of the mesh. */
  readonly allowRoles?: (service: DescService) => readonly string[] | undefined;
  /** Methods for which a credential that does not hold counts as none, such as signing in. Default: none. */
  readonly publicMethods?: (method: DescMethod) => boolean;
  /** Roles whose `aimass-principal` is believed. Default: router. */
  readonly actingRoles?: readonly string[];
  /** Largest message, in bytes. Default 8 MiB. */
  readonly readMaxBytes?: number;
}

/** A server that answers. */
export interface RpcServer {
  readonly address: Address;
  /** Says NOT_SERVING, takes no new calls, lets running ones finish for `graceMs` (endless streams end at once), closes. */
  drain(graceMs: number): Promise<void>;
}

const defaultReadMaxBytes = 8 * 1024 * 1024;
/** Bytes in flight a stream and a connection: enough for 1 MiB chunks over links with some delay. */
const streamWindowBytes = 1024 * 1024;
const connectionWindowBytes = 8 * 1024 * 1024;

/**
 * Serves Connect, gRPC and gRPC-Web over cleartext HTTP/2, with health v1 and reflection v1 and v1alpha. Every call must carry a valid service token.
 * Rejects with FAILED_PRECONDITION when the address cannot be used.
 */
export async function serveRpc(options: ServeRpcOptions): Promise<RpcServer> {
  const running = new RunningCalls();
  const metrics = new RpcMetrics(options.telemetry.metrics, "server");
  const router = createConnectRouter({
    readMaxBytes: options.readMaxBytes ?? defaultReadMaxBytes,
    // Requests may come compressed; answers never are: the processor time costs more than the bytes inside a data centre.
    compressMinBytes: 0xffffffff,
    acceptCompression: countedCompressions,
    jsonOptions: strictJson,
    requestGate: countedGate(createRequestGate(options satisfies GateOptions), metrics, running),
    interceptors: [createCallInterceptor({ ...options, metrics, running })],
  });
  options.routes(router);
  const health = createHealthService(options.services, running.draining);
  router.service(health.service, health.implementation);
  addReflection(router, [...options.services, Health]);
  const idle = new IdleConnections({ clock: options.clock });
  const connections = new Connections(idle);
  const server = createHttpServer(router, { ...options, connections });
  const sessions = trackSessions(server, connections);
  const address = await listening(server, options);
  return {
    address,
    async drain(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      running.beginDraining();
      // A graceful close sends GOAWAY: clients open no more streams here, those that run go on.
      for (const session of sessions) session.close();
      if (!(await running.idleWithin(graceMs, options.clock))) {
        options.telemetry.log
          .scope("rpc.server")
          .warn("calls were cut off at the end of the grace", { calls: running.count });
      }
      await settled(sessions, options.clock);
      // With an error: without one, callers read what came of their answers as the whole.
      for (const session of sessions) session.destroy(new Error("The server ended."));
      await closed;
      idle[Symbol.dispose]();
    },
  };
}

/** Called once the caller is known, before the request is read. */
const admittedKey = createContextKey((_caller: Caller) => {});

/** Refusals of the gate never reach an interceptor; they are counted here. */
function countedGate(gate: (context: HandlerContext) => void, metrics: RpcMetrics, running: RunningCalls) {
  return (context: HandlerContext) => {
    try {
      if (running.draining.aborted && context.service !== Health) throw running.draining.reason;
      gate(context);
      context.values.get(admittedKey)(context.values.get(callerKey) as Caller);
      explainUnknownFields(context);
    } catch (error) {
      const failure = toConnectError(error);
      metrics.ended(context.method, codeFromNumber(failure.code), 0);
      throw failure;
    }
  };
}

/** Time after which TCP asks for a sign of life on an idle connection, in milliseconds; it asks every second then, ten times. */
const keepAliveMs = 1000;

function createHttpServer(
  router: ConnectRouter,
  { connections, clock, telemetry }: { connections: Connections; clock: Clock; telemetry: Telemetry },
): Http2Server {
  const received = new ReceivedBytes(receivedBytes);
  const held = telemetry.metrics.observedGauge("aimass_rpc_request_body_bytes", { help: "Requests in memory." }, () => [
    { value: received.totalBytes },
  ]);
  const log = telemetry.log.scope("rpc.server");
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const settings = { initialWindowSize: streamWindowBytes, maxConcurrentStreams: 4096 };
  const server = createServer({ settings, maxSessionMemory: 128 }, (request, response) => {
    const handler = handlers.get(request.url.split("?", 1)[0] ?? "");
    if (handler === undefined) {
      // gRPC clients read 404 as UNIMPLEMENTED.
      response.writeHead(404).end();
      return;
    }
    const connection = connections.of(request.socket);
    connection?.begin(request.stream);
    const body = new RequestBody({ received, clock, kind: handler.method.methodKind });
    // Not when the answer was handed over: that promise of connect-node never settles then (findings/).
    request.stream.once("close", () => body[Symbol.dispose]());
    // Of a request that nobody reads to its end; with bytes in its buffer a stream would outlive its client's leaving.
    request.once("close", () => request.stream.removeAllListeners("data").resume());
    const values = createContextValues().set(admittedKey, ({ principal }) => {
      connection?.recognize();
      body.belongsTo(principal.id);
    });
    const asked = universalRequestFromNodeRequest(request, response, undefined, values);
    const pieces = body.read(asked.body as AsyncIterable<Uint8Array>);
    body
      .run(async () => universalResponseToNodeResponse(await handler({ ...asked, body: pieces }), response))
      .catch((error: unknown) => {
        // The peer went away while the answer was written, or the answer broke off. With an error: `close()` would end it as if it were whole.
        log.debug("answer not delivered", { path: request.url, error });
        if (!response.stream.destroyed) response.stream.destroy(new Error("The answer broke off."));
      });
  });
  // The kernel answers for a process that is busy, and nobody for a machine that is gone: its streams break after about ten seconds.
  server.once("close", () => held[Symbol.dispose]());
  server.on("connection", (socket: Socket) => {
    socket.setKeepAlive(true, keepAliveMs);
    connections.track(socket);
  });
  return server;
}

/** Requests in memory at a time, decompressed ones included: half of it for one caller, an eighth for all callers without a credential. */
const receivedBytes = 256 * 1024 * 1024;

function trackSessions(server: Http2Server, connections: Connections): Set<ServerHttp2Session> {
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    if (session.destroyed) return;
    session.setLocalWindowSize(connectionWindowBytes);
    connections.of(session.socket)?.carries(session);
    session.on("error", () => {});
    session.once("close", () => sessions.delete(session));
    sessions.add(session);
  });
  return sessions;
}

/** Waits a moment for closed sessions to flush their last frames. */
async function settled(sessions: ReadonlySet<ServerHttp2Session>, clock: Clock): Promise<void> {
  for (let tries = 0; tries < 20 && sessions.size > 0; tries += 1) await clock.sleep(5);
}

function listening(server: Http2Server, options: ServeRpcOptions): Promise<Address> {
  const { listen, name } = options;
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const message = `The ${name} service cannot listen on ${formatAddress(listen)} (${cause.code}).`;
      reject(
        new AimassError("FAILED_PRECONDITION", message, { cause, remedy: "Set AIMASS_LISTEN to a free address." }),
      );
    });
    server.listen(listen.port, listen.host, () => {
      const { address: host, port } = server.address() as AddressInfo;
      resolve({ host, port });
    });
  });
}
