import { AimassError, AllowedHosts } from "@aimass/core";
import type { Answer, HeaderFields, ResponseWriter, ServerCall } from "@aimass/h2";
import { WrappedCall } from "./wrapped-call.ts";

/** Which hosts the router answers as, and whose pages may call it. */
export interface GuardOptions {
  /** Host names without port; "*" for any. IP addresses and localhost always work: a rebound name is neither. */
  readonly allowedHosts: readonly string[];
  /** Origins such as "https://app.example.com" whose pages may call across origins. */
  readonly allowedOrigins: readonly string[];
}

const exposedHeaders = [
  "grpc-status",
  "grpc-message",
  "grpc-status-details-bin",
  "aimass-version",
  "trailer-aimass-version",
  "aimass-ignored-columns",
  "inference-header-content-length",
  "retry-after",
].join(",");

/** Protects people's browsers: a page of another site gets no answer, by its own name (Origin) or by one that was pointed here (Host, DNS rebinding). */
export class Guard {
  readonly #hosts: AllowedHosts;
  readonly #origins: ReadonlySet<string>;

  constructor(options: GuardOptions) {
    this.#hosts = new AllowedHosts(options.allowedHosts);
    this.#origins = new Set(options.allowedOrigins.map((origin) => origin.toLowerCase()));
  }

  /** The call to go on with; undefined when it was answered here. Throws PERMISSION_DENIED. */
  admit(call: ServerCall): ServerCall | undefined {
    if (!this.#hosts.has(call.authority)) throw wrongHost(call.authority);
    const { origin } = call.headers;
    if (origin === undefined) return call;
    if (isSameOrigin(origin, call.authority)) return call;
    if (!this.#origins.has(origin.toLowerCase())) throw wrongOrigin(origin);
    const cors = {
      "access-control-allow-origin": origin,
      "access-control-expose-headers": exposedHeaders,
      vary: "origin",
    };
    if (call.method !== "OPTIONS") return new CrossOriginCall(call, cors);
    call.respond({ status: 204, headers: { ...cors, ...preflightHeaders(call.headers) } });
    return undefined;
  }
}

/** A call whose answer a page of another, allowed origin may read. */
class CrossOriginCall extends WrappedCall {
  readonly #extra: HeaderFields;

  constructor(call: ServerCall, extra: HeaderFields) {
    super(call);
    this.#extra = extra;
  }

  override respond(answer: Answer): void {
    super.respond({ ...answer, headers: { ...answer.headers, ...this.#extra } });
  }

  override open(status: number, headers: HeaderFields): ResponseWriter {
    return super.open(status, { ...headers, ...this.#extra });
  }
}

function preflightHeaders(asked: HeaderFields): HeaderFields {
  return {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": asked["access-control-request-headers"] ?? "",
    "access-control-max-age": "7200",
  };
}

function isSameOrigin(origin: string, authority: string): boolean {
  return origin === `http://${authority}` || origin === `https://${authority}`;
}

function wrongHost(authority: string): AimassError {
  return new AimassError("PERMISSION_DENIED", `The router does not answer as "${authority.slice(0, 200)}".`, {
    reason: "HOST_NOT_ALLOWED",
    remedy: "Call it by its address, or ask an operator to add the name to AIMASS_ALLOWED_HOSTS.",
  });
}

function wrongOrigin(origin: string): AimassError {
  return new AimassError("PERMISSION_DENIED", `Pages of ${origin.slice(0, 200)} may not call this router.`, {
    reason: "ORIGIN_NOT_ALLOWED",
    remedy: "An operator can add the origin to AIMASS_ALLOWED_ORIGINS.",
  });
}
