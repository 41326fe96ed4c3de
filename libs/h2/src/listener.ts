import { createServer as createHttp1Server, type Server as Http1Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { type Address, systemClock } from "@aimass/core";
import type { ServerCall } from "./call.ts";
import { Connections } from "./connection.ts";
import { Http1Call } from "./http1-call.ts";
import { Http2Call } from "./http2-call.ts";
import { IdleConnections } from "./idle-connections.ts";
import { sniffProtocol } from "./sniff.ts";

export interface ListenOptions {
  /** Port 0 lets the system choose. */
  readonly listen: Address;
  /** Called for every request, once its headers are there. Must not throw. */
  readonly handler: (call: ServerCall) => void;
  /** Largest header section in bytes. Default 32 KiB; beyond it HTTP/1.1 answers 431 and HTTP/2 resets the stream. */
  readonly maxHeaderBytes?: number;
  /** Streams one HTTP/2 connection may have open at a time. Default 2048. */
  readonly maxConcurrentStreams?: number;
  /** Age at which an HTTP/2 connection is asked to go elsewhere (GOAWAY), ±10 %; what runs on it finishes. Default 0: never. */
  readonly maxConnectionAgeMs?: number;
  /** How long the first bytes of a connection and the headers of an HTTP/1.1 request may take. Default 10 s. */
  readonly headerTimeoutMs?: number;
  /** How long a whole HTTP/1.1 request may take to arrive. Default 300 s. */
  readonly requestTimeoutMs?: number;
  /** How long a connection may stay open with nothing to do. Default 300 s. */
  readonly idleTimeoutMs?: number;
  /** Bounds the connections that carry nothing; several listeners may share one. Default: 4096 in all, 512 of one address. */
  readonly idle?: IdleConnections;
  /**
   * Stream resets one HTTP/2 connection may send: at once, and a second. Defaults 10 000 and 1000: many callers may share a connection, and each deadline that
   * passes is a reset. Beyond it the connection is closed as a flood (CVE-2023-44487).
   */
  readonly resetBurst?: number;
  readonly resetRate?: number;
  /** Serves TLS with ALPN instead of clear text. PEM. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** A listening port. */
export interface Listener {
  readonly address: Address;
  /** Open connections. */
  readonly connections: number;
  /** Takes no new connections, asks clients to go elsewhere, finishes what runs within `graceMs`, then closes everything. */
  drain(graceMs: number): Promise<void>;
}

/** Bytes of one stream, and of one connection, that a client may send before we have read them. */
const streamWindowBytes = 4 * 1024 * 1024;
const sessionWindowBytes = 16 * 1024 * 1024;

/** Listens on one port for HTTP/1.1 and HTTP/2 (prior knowledge, or ALPN when `tls` is set). */
export async function listen(options: ListenOptions): Promise<Listener> {
  const listener = new NodeListener(options);
  await listener.start();
  return listener;
}

/** Hands each connection to node:http or node:http2, by its first bytes. */
class NodeListener implements Listener {
  readonly #options: ListenOptions;
  readonly #server: Server;
  readonly #http1: Http1Server;
  readonly #http2: Http2Server;
  readonly #connections: Connections;
  readonly #sessions = new Set<ServerHttp2Session>();
  #isDraining = false;
  #address: Address = { host: "", port: 0 };

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#connections = new Connections(options.idle ?? new IdleConnections({ clock: systemClock }));
    this.#http1 = this.#createHttp1();
    this.#http2 = this.#createHttp2();
    this.#server = options.tls === undefined ? this.#createClear() : this.#createTls(options.tls);
    this.#server.on("connection", (socket: Socket) => {
      socket.on("error", () => {});
      this.#connections.track(socket);
    });
  }

  get address(): Address {
    return this.#address;
  }

  get connections(): number {
    return this.#connections.count;
  }

  start(): Promise<void> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off("error", reject);
        this.#server.on("error", () => {});
        this.#address = { host, port: (this.#server.address() as AddressInfo).port };
        resolve();
      });
    });
  }

  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions) session.close();
    // A kept-alive HTTP/1.1 client may be sending its next request right now: it is answered with "connection: close".
    const idleTimer = setTimeout(() => this.#http1.closeIdleConnections(), Math.min(graceMs / 4, 500));
    const graceTimer = setTimeout(() => {
      this.#connections.destroy();
    }, graceMs);
    await closed;
    clearTimeout(idleTimer);
    clearTimeout(graceTimer);
    this.#http1.close();
  }

  #createClear(): Server {
    const timeoutMs = this.#options.headerTimeoutMs ?? 10_000;
    const server = createTcpServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 });
    server.on("connection", (socket) => {
      sniffProtocol(socket, timeoutMs, (protocol) => {
        if (protocol === "h2") this.#http2.emit("connection", socket);
        else this.#http1.emit("connection", socket);
      });
    });
    return server;
  }

  #createTls(tls: { key: string; cert: string }): Server {
    const handshakeTimeout = this.#options.headerTimeoutMs ?? 10_000;
    const server = createTlsServer({ ...tls, ALPNProtocols: ["h2", "http/1.1"], handshakeTimeout, noDelay: true });
    server.on("secureConnection", (socket: TLSSocket) => {
      if (socket.alpnProtocol === "h2") this.#http2.emit("connection", socket);
      else this.#http1.emit("connection", socket);
    });
    return server;
  }

  #createHttp1(): Http1Server {
    const { handler, maxHeaderBytes, headerTimeoutMs, requestTimeoutMs, idleTimeoutMs } = this.#options;
    const server = createHttp1Server({
      maxHeaderSize: maxHeaderBytes ?? 32 * 1024,
      headersTimeout: headerTimeoutMs ?? 10_000,
      requestTimeout: requestTimeoutMs ?? 300_000,
      keepAliveTimeout: idleTimeoutMs ?? 300_000,
      connectionsCheckingInterval: Math.min(1000, (headerTimeoutMs ?? 10_000) / 2),
    });
    server.on("request", (request, response) => {
      const connection = this.#connections.of(request.socket);
      connection?.begin(response);
      const recognized = () => connection?.recognize();
      const isDraining = () => this.#isDraining;
      if (hostLines(request.rawHeaders) < 2)
        return handler(new Http1Call(request, response, { isDraining, recognized }));
      // RFC 9112, 3.2: who reads the first and who the last would not agree on whom the request is for.
      response.writeHead(400, { connection: "close" }).end();
    });
    // node:http begins to watch its time limits when it listens; this server is only handed connections.
    server.emit("listening");
    return server;
  }

  #createHttp2(): Http2Server {
    const { maxHeaderBytes, maxConcurrentStreams, resetBurst, resetRate } = this.#options;
    const server = createHttp2Server({
      settings: {
        initialWindowSize: streamWindowBytes,
        maxConcurrentStreams: maxConcurrentStreams ?? 2048,
        maxHeaderListSize: maxHeaderBytes ?? 32 * 1024,
        enablePush: false,
      },
      // In megabytes. Its default of 10 ends a connection that carries a few large tensors; the windows above are the real limit.
      maxSessionMemory: 1024,
      streamResetBurst: resetBurst ?? 10_000,
      streamResetRate: resetRate ?? 1000,
    } as Parameters<typeof createHttp2Server>[0]);
    server.on("session", (session) => this.#welcome(session));
    server.on("sessionError", () => {});
    return server;
  }

  #welcome(session: ServerHttp2Session): void {
    if (session.destroyed) return;
    this.#sessions.add(session);
    session.setLocalWindowSize(sessionWindowBytes);
    session.on("error", () => {});
    const connection = this.#connections.of(session.socket);
    connection?.carries(session);
    const recognized = () => connection?.recognize();
    session.on("stream", (stream, headers) => {
      connection?.begin(stream);
      this.#options.handler(new Http2Call(stream, headers, recognized));
    });
    session.setTimeout(this.#options.idleTimeoutMs ?? 300_000, () => {
      if (connection?.isIdle !== false) session.close();
    });
    const age = this.#startAge(session);
    session.once("close", () => {
      clearTimeout(age);
      this.#sessions.delete(session);
    });
    if (this.#isDraining) session.close();
  }

  #startAge(session: ServerHttp2Session): NodeJS.Timeout | undefined {
    const age = this.#options.maxConnectionAgeMs ?? 0;
    if (age === 0) return undefined;
    return setTimeout(() => session.close(), age * (0.9 + 0.2 * Math.random())).unref();
  }
}

/** How often a request of HTTP/1.1 names its host. */
function hostLines(rawHeaders: readonly string[]): number {
  return rawHeaders.filter((text, i) => i % 2 === 0 && text.toLowerCase() === "host").length;
}
