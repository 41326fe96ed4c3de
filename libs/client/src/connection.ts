import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import type { Credential } from "./credential.ts";
import type { RetryOptions } from "./retry.ts";

export interface MeshOptions {
  /** Default: none, for what everybody may call. */
  readonly credential?: Credential | undefined;
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
      fetch: this.#fetch,
    });
  }

  /** POSTs JSON below the server's address; gives the answer with its body. Rejects with UNAVAILABLE when none comes, or not to its end. */
  async post(
    path: string,
    body: string,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly response: Response; readonly text: string }> {
    const headers = new Headers({ "content-type": "application/json" });
    const authorization = await this.#authorization();
    if (authorization !== undefined) headers.set("authorization", authorization);
    const response = await this.#fetch(this.server + path, {
      method: "POST",
      headers,
      body,
      ...(signal && { signal }),
    });
    const text = await response.text().catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw this.#unavailable("The answer broke off.", cause);
    });
    return { response, text };
  }

  /** What the network loses is UNAVAILABLE, and may be tried again. */
  readonly #fetch: typeof globalThis.fetch = async (input, init) => {
    try {
      return await (this.#options.fetch ?? globalThis.fetch)(input, init);
    } catch (cause) {
      init?.signal?.throwIfAborted();
      throw this.#unavailable(`Nothing answers at ${this.server}.`, cause);
    }
  };

  #unavailable(message: string, cause: unknown): ConnectError {
    return new ConnectError(message, Code.Unavailable, undefined, undefined, cause);
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
