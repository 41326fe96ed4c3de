import { AimassError } from "@aimass/core/errors";
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import type { Credential } from "./credential.ts";
import type { RetryOptions } from "./retry.ts";

export interface MeshOptions {
  /** Default: none, for what everybody may call. */
  readonly credential?: Credential;
  readonly retry?: RetryOptions;
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch;
}

/** How a mesh is reached: its address, and the credential that goes with every call. */
export class Connection {
  readonly server: string;
  readonly retry: RetryOptions;
  readonly transport: Transport;
  readonly #options: MeshOptions;

  constructor(server: string, options: MeshOptions) {
    this.server = server;
    this.retry = options.retry ?? {};
    this.#options = options;
    this.transport = createConnectTransport({
      baseUrl: server,
      useBinaryFormat: true,
      interceptors: [this.#authorize],
      ...(options.fetch && { fetch: options.fetch }),
    });
  }

  /** A request below the server's address. Rejects with UNAVAILABLE when nothing answers. */
  async fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    const authorization = await this.#authorization();
    if (authorization !== undefined) headers.set("authorization", authorization);
    try {
      return await (this.#options.fetch ?? globalThis.fetch)(this.server + path, { ...init, headers });
    } catch (cause) {
      init.signal?.throwIfAborted();
      throw new AimassError("UNAVAILABLE", `Nothing answers at ${this.server}.`, { cause });
    }
  }

  readonly #authorize: Interceptor = (next) => async (request) => {
    const authorization = await this.#authorization();
    if (authorization !== undefined) request.header.set("authorization", authorization);
    return next(request);
  };

  async #authorization(): Promise<string | undefined> {
    const { credential } = this.#options;
    if (credential === undefined) return undefined;
    return `Bearer ${typeof credential === "string" ? credential : await credential()}`;
  }
}
