import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { IdleConnection, IdleConnections } from "./idle-connections.ts";

/** How long the peer of a connection that is ended may take to read so. */
const farewellMs = 2000;

/** The open connections of a listener. */
export class Connections {
  readonly #idle: IdleConnections;
  readonly #byPeer = new Map<string, Connection>();

  constructor(idle: IdleConnections) {
    this.#idle = idle;
  }

  get count(): number {
    return this.#byPeer.size;
  }

  /** A connection was accepted. */
  track(socket: Socket): void {
    const key = peerKey(socket);
    const connection = new Connection(socket, this.#idle);
    this.#byPeer.set(key, connection);
    socket.once("close", () => {
      connection.end();
      if (this.#byPeer.get(key) === connection) this.#byPeer.delete(key);
    });
  }

  /** The connection of a socket, or of what wraps it: TLS, a session of HTTP/2. */
  of(socket: Peer): Connection | undefined {
    return this.#byPeer.get(peerKey(socket));
  }

  destroy(): void {
    for (const connection of this.#byPeer.values()) connection.destroy();
  }
}

type Peer = Pick<Socket, "localAddress" | "remoteAddress" | "remotePort">;

function peerKey({ remoteAddress, remotePort, localAddress }: Peer): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

/** One connection of a listener, and whether anything runs on it. Idle from the start. */
export class Connection implements IdleConnection {
  readonly address: string;
  readonly #socket: Socket;
  readonly #idle: IdleConnections;
  #session: ServerHttp2Session | undefined;
  #running = 0;
  #isKnown = false;
  #isOver = false;

  constructor(socket: Socket, idle: IdleConnections) {
    this.#socket = socket;
    this.#idle = idle;
    this.address = socket.remoteAddress ?? "";
    idle.add(this);
  }

  get isIdle(): boolean {
    return this.#running === 0;
  }

  get isKnown(): boolean {
    return this.#isKnown;
  }

  recognize(): void {
    this.#isKnown = true;
  }

  /** It turned out to be one of HTTP/2. */
  carries(session: ServerHttp2Session): void {
    this.#session = session;
  }

  /** A request runs until `request` has closed. */
  begin(request: NodeJS.EventEmitter): void {
    if (this.#running === 0) this.#idle.remove(this);
    this.#running += 1;
    request.once("close", () => {
      this.#running -= 1;
      if (this.#running === 0 && !this.#isOver) this.#idle.add(this);
    });
  }

  /** HTTP/2 is told so (GOAWAY), so that what the peer sends at this moment is provably not begun. */
  close(): void {
    if (this.#session === undefined || this.#session.destroyed) {
      this.destroy();
      return;
    }
    this.#session.close();
    setTimeout(() => this.destroy(), farewellMs).unref();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** It is gone. */
  end(): void {
    this.#isOver = true;
    this.#idle.remove(this);
  }
}
