import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type Address, AimassError, AllowedHosts, formatAddress, hostOf } from "@aimass/core";
import type { Telemetry } from "./telemetry.ts";

/** A running admin listener. */
export interface AdminServer {
  readonly address: Address;
  close(): Promise<void>;
}

/**
 * Serves what platform engineers and orchestrators ask for, on a port of its own that strangers must not reach:
 * `/metrics` (Prometheus text), `/livez` (200 as long as the event loop turns), `/readyz` (200, or 503 with the reason).
 * `ready` answers true, or says why not. Pages of other sites get nothing (DNS rebinding): a name with a dot that is not configured is refused. Rejects with FAILED_PRECONDITION when the address cannot be used.
 */
export async function serveAdmin(options: {
  listen: Address;
  telemetry: Telemetry;
  ready: () => boolean | string;
  /** What `/metrics` answers. Default: the service's own metrics. */
  metrics?: () => Promise<string>;
  /** The variable that the address comes from, where it is not AIMASS_ADMIN_LISTEN. */
  variable?: string;
}): Promise<AdminServer> {
  const { telemetry, ready, metrics = () => telemetry.metricsText(), variable } = options;
  const hosts = new AllowedHosts(telemetry.adminHosts);
  const server = createServer({ connectionsCheckingInterval: 1000 }, (request, response) => {
    const { host } = request.headers;
    if (host !== undefined && !mayAsk(hosts, host)) return answer(response, 403, wrongHost(host));
    const path = (request.url ?? "/").split("?", 1)[0];
    if (request.method !== "GET" && request.method !== "HEAD")
      return answer(response, 405, "Only GET and HEAD work here.");
    if (path === "/livez") return answer(response, 200, "alive");
    if (path === "/readyz") {
      const state = ready();
      return state === true
        ? answer(response, 200, "ready")
        : answer(response, 503, state || "The service is not ready yet.");
    }
    if (path === "/metrics") return void answerMetrics(response, telemetry, metrics);
    return answer(response, 404, "There is /metrics, /livez and /readyz.");
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  boundConnections(server);
  await listening(server, options.listen, variable);
  const { address: host, port } = server.address() as AddressInfo;
  return {
    address: { host, port },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Above so many open connections the oldest ends: whoever opens many and says nothing does not keep the others out. */
const maxConnections = 256;

function boundConnections(server: Server): void {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    if (open.size <= maxConnections) return;
    for (const oldest of open) {
      open.delete(oldest);
      oldest.destroy();
      break;
    }
  });
}

/** A name without a dot (a container's, a machine's) belongs to no site of the internet. */
function mayAsk(hosts: AllowedHosts, authority: string): boolean {
  return hosts.has(authority) || !hostOf(authority).includes(".");
}

function wrongHost(authority: string): string {
  return `The admin listener does not answer as "${authority.slice(0, 200)}". Ask by its address, or add the name to AIMASS_ADMIN_HOSTS.`;
}

function answer(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" })
    .end(`${text}\n`);
}

async function answerMetrics(
  response: ServerResponse,
  telemetry: Telemetry,
  metrics: () => Promise<string>,
): Promise<void> {
  try {
    const text = await metrics();
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(text);
  } catch (error) {
    telemetry.log.scope("telemetry.admin").error("metrics could not be collected", { error });
    answer(response, 500, "The metrics could not be collected; the service's log says why.");
  }
}

function listening(server: Server, listen: Address, variable: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const message = `The admin listener cannot use ${formatAddress(listen)} (${cause.code}).`;
      reject(
        new AimassError("FAILED_PRECONDITION", message, {
          cause,
          remedy:
            variable === undefined
              ? "Set AIMASS_ADMIN_LISTEN to a free address."
              : `Set ${variable} to a free address.`,
        }),
      );
    });
    server.listen(listen.port, listen.host, resolve);
  });
}
