import { SessionService, type TokenPair } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import type { DescService } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { CredentialsFile, StoredSession } from "./credentials.ts";

/** Where a caller's credential comes from. */
export type CredentialSource =
  | { readonly kind: "api-key"; readonly key: string }
  | { readonly kind: "session"; readonly file: CredentialsFile }
  | { readonly kind: "none" };

/** Reason of an error that is the server's answer by REST and not the command's own finding. */
export const refusedByServer = "REFUSED_BY_SERVER";
/** An access token this close to its end is renewed first. */
const renewBeforeMs = 30_000;
/** Longest wait for an answer that is not a stream. */
const unaryTimeoutMs = 60_000;

/** A caller's way to a mesh: typed clients and plain HTTP, with the credential on every call. Dispose it to end what is still under way. */
export class Connection implements Disposable {
  readonly server: string;
  readonly #sessions: Http2SessionManager;
  readonly #credential: CredentialSource;
  readonly #transport: Transport;
  readonly #anonymous: Transport;
  #renewal: Promise<StoredSession> | undefined;

  /** Errors: INVALID_ARGUMENT when the server is no URL. */
  constructor(server: string, credential: CredentialSource) {
    if (!/^https?:\/\/[^/]+/.test(server) || !URL.canParse(server))
      throw new AimassError("INVALID_ARGUMENT", `"${server}" is not the URL of a server.`, {
        remedy: "Write it like http://127.0.0.1:5000.",
      });
    this.server = server.replace(/\/+$/, "");
    this.#credential = credential;
    this.#sessions = new Http2SessionManager(this.server);
    const options = {
      baseUrl: this.server,
      httpVersion: "2" as const,
      sessionManager: this.#sessions,
      defaultTimeoutMs: unaryTimeoutMs,
    };
    this.#anonymous = createConnectTransport(options);
    this.#transport = createConnectTransport({ ...options, interceptors: [this.#authorize()] });
  }

  /** False when calls go out without a credential. */
  get isSignedIn(): boolean {
    if (this.#credential.kind === "session") return this.#credential.file.find(this.server) !== undefined;
    return this.#credential.kind === "api-key";
  }

  /** A typed client of a control-plane service. */
  client<S extends DescService>(service: S): Client<S> {
    return createClient(service, this.#transport);
  }

  /** Signs in and keeps the session. */
  async signIn(username: string, password: string): Promise<void> {
    const { tokens } = await createClient(SessionService, this.#anonymous).signIn({ username, password });
    if (this.#credential.kind === "session")
      this.#credential.file.save(this.server, toSession(username, tokens as TokenPair));
  }

  /** Ends the session and forgets it. */
  async signOut(): Promise<void> {
    if (this.#credential.kind !== "session") return;
    const session = this.#credential.file.find(this.server);
    if (session !== undefined)
      await createClient(SessionService, this.#anonymous).signOut({ refreshToken: session.refreshToken });
    this.#credential.file.remove(this.server);
  }

  /** Plain HTTP with the credential, for REST. Errors: UNAVAILABLE when nothing answers. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    const authorization = await this.authorization();
    if (authorization !== undefined) headers.set("authorization", authorization);
    try {
      return await fetch(`${this.server}${path}`, { ...init, headers });
    } catch (error) {
      init.signal?.throwIfAborted();
      throw new AimassError("UNAVAILABLE", `Nothing answers at ${this.server}.`, {
        cause: error,
        remedy: "Start a mesh with `npm start`, or name another server with --server URL.",
      });
    }
  }

  /** The value of the authorization header; undefined without a credential. */
  async authorization(): Promise<string | undefined> {
    if (this.#credential.kind === "none") return undefined;
    if (this.#credential.kind === "api-key") return `Bearer ${this.#credential.key}`;
    const session = this.#credential.file.find(this.server);
    if (session === undefined) return undefined;
    const fresh = session.accessExpiresAt - Date.now() > renewBeforeMs ? session : await this.#renew(session);
    return `Bearer ${fresh.accessToken}`;
  }

  /** A stream left in the middle would keep the process alive. */
  [Symbol.dispose](): void {
    this.#sessions.abort();
  }

  #authorize(): Interceptor {
    return (next) => async (request) => {
      const authorization = await this.authorization();
      if (authorization !== undefined) request.header.set("authorization", authorization);
      return next(request);
    };
  }

  /** One renewal at a time: a refresh token is good for one use. */
  #renew(session: StoredSession): Promise<StoredSession> {
    this.#renewal ??= this.#refresh(session).finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #refresh(session: StoredSession): Promise<StoredSession> {
    if (this.#credential.kind !== "session") return session;
    try {
      const { tokens } = await createClient(SessionService, this.#anonymous).refreshSession({
        refreshToken: session.refreshToken,
      });
      const renewed = toSession(session.username, tokens as TokenPair);
      // Another process used the token a moment ago: it keeps the next one.
      if (renewed.refreshToken !== "") this.#credential.file.save(this.server, renewed);
      return renewed;
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Unauthenticated) throw error;
      this.#credential.file.remove(this.server);
      throw new AimassError("UNAUTHENTICATED", "Your session has ended.", {
        cause: error,
        remedy: "Sign in again with `aimass login`.",
      });
    }
  }
}

function toSession(username: string, tokens: TokenPair): StoredSession {
  return {
    username,
    accessToken: tokens.accessToken,
    accessExpiresAt: tokens.accessExpiresAt === undefined ? 0 : timestampMs(tokens.accessExpiresAt),
    refreshToken: tokens.refreshToken,
  };
}
