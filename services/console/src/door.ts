import { AimassError, type Code } from "@aimass/core";
import type { HeaderFields, ServerCall } from "@aimass/h2";
import { refusedTokenHeader, type ServiceIdentity, serviceTokenRefused } from "@aimass/identity";
import type { Logger } from "@aimass/telemetry";
import type { Asset } from "./assets/assets.ts";
import type { ConsoleMetrics } from "./metrics.ts";
import { type BrowserSessions, type SessionAnswer, sessionPath } from "./sessions/browser-sessions.ts";

/** What stands behind the door. */
export interface DoorParts {
  readonly identity: ServiceIdentity;
  readonly assets: ReadonlyMap<string, Asset>;
  readonly sessions: BrowserSessions;
  readonly metrics: ConsoleMetrics;
  readonly log: Logger;
}

/** An answer without the headers that all share. */
interface PlainAnswer {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly body: Uint8Array;
}

const maxBodyBytes = 16 * 1024;
/** Nothing but our own files runs, nobody frames the page, nothing leaks in referrers. */
const securityHeaders: HeaderFields = {
  "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
};
const statuses: Partial<Record<Code, number>> = {
  INVALID_ARGUMENT: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  RESOURCE_EXHAUSTED: 429,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
};

/** Answers what the router passes on: the page at /console/, sessions at /console/session. Only a router may call. */
export function createDoor(parts: DoorParts): (call: ServerCall) => void {
  return (call) => {
    const path = call.path.split("?", 1)[0] as string;
    const kind = path.startsWith(sessionPath) ? "session" : "asset";
    const finish = ({ status, headers, body }: PlainAnswer) => {
      parts.metrics.requests.add(1, { kind, status: String(status) });
      call.respond({
        status,
        headers: { ...securityHeaders, ...headers, "content-length": String(body.length) },
        body: call.method === "HEAD" ? new Uint8Array() : body,
      });
    };
    const work = async () => {
      assertRouter(parts.identity, call);
      if (kind === "asset") return findAsset(parts.assets, call, path);
      const { session, setCookie } = await answerSession(parts.sessions, call);
      return jsonAnswer(200, session ?? {}, setCookie === undefined ? {} : { "set-cookie": setCookie });
    };
    work().then(finish, (thrown: unknown) => {
      const error = AimassError.from(thrown);
      if (error.code === "INTERNAL") parts.log.error("request failed", { path, error: error.cause ?? error });
      const retry = error.retryAfterMs === undefined ? undefined : String(Math.ceil(error.retryAfterMs / 1000));
      const headers = {
        ...(retry !== undefined && { "retry-after": retry }),
        ...(error.reason === serviceTokenRefused && { [refusedTokenHeader]: serviceTokenRefused }),
      };
      finish(jsonAnswer(statuses[error.code] ?? 500, { error: error.advice }, headers));
    });
  };
}

function jsonAnswer(status: number, value: object, headers: HeaderFields): PlainAnswer {
  const common = { "content-type": "application/json", "cache-control": "no-store" };
  return { status, headers: { ...common, ...headers }, body: Buffer.from(JSON.stringify(value)) };
}

function assertRouter(identity: ServiceIdentity, call: ServerCall): void {
  const token = call.headers["aimass-service"];
  if (token === undefined || identity.verify(token).role !== "router") {
    throw new AimassError("UNAUTHENTICATED", "The console is reached through the router alone.");
  }
  call.recognize();
}

/** What is at a path. Errors: NOT_FOUND. */
function findAsset(assets: ReadonlyMap<string, Asset>, call: ServerCall, path: string): PlainAnswer {
  const nothing = new Uint8Array();
  if (call.method !== "GET" && call.method !== "HEAD")
    return { status: 405, headers: { allow: "GET, HEAD" }, body: nothing };
  if (path === "/" || path === "/console") return { status: 302, headers: { location: "/console/" }, body: nothing };
  const asset = path.startsWith("/console/") ? assets.get(path.slice("/console/".length)) : undefined;
  if (asset === undefined) {
    throw new AimassError("NOT_FOUND", `There is nothing at ${path}.`, { remedy: "The console is at /console/." });
  }
  const headers = { etag: asset.etag, "cache-control": "no-cache", "content-type": asset.contentType };
  if (call.headers["if-none-match"] === asset.etag) return { status: 304, headers, body: nothing };
  return { status: 200, headers, body: asset.body };
}

async function answerSession(sessions: BrowserSessions, call: ServerCall): Promise<SessionAnswer> {
  const { cookie } = call.headers;
  const browser = { isSecure: call.headers["x-forwarded-proto"] === "https", signal: call.signal };
  switch (call.method) {
    case "POST":
      return sessions.signIn(await call.body(maxBodyBytes), browser, forwardedFor(call));
    case "PUT":
      return sessions.renew(cookie, browser);
    case "DELETE":
      return sessions.signOut(cookie, browser);
    default:
      throw new AimassError("INVALID_ARGUMENT", `${call.method} does nothing here.`, {
        remedy: "POST signs in, PUT renews, DELETE signs out.",
      });
  }
}

/** The client's address as the router saw it, so that attempts are counted by client and not by console. */
function forwardedFor(call: ServerCall): Record<string, string> {
  const address = call.headers["x-forwarded-for"];
  return address === undefined ? {} : { "x-forwarded-for": address };
}
