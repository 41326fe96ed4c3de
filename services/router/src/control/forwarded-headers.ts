import type { HeaderFields, ServerCall } from "@aimass/h2";
import type { ClientAddress } from "./client-address.ts";

/** Headers that belong to one connection (RFC 9110, 7.6.1), or that only the mesh may set. */
const connectionHeaders = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "host",
  "expect",
]);

/** What a service is told of a call: its headers, and where it came from by the router's own word. */
export function forwardedHeaders(call: ServerCall, addresses: ClientAddress, traceparent: string): HeaderFields {
  const headers: Record<string, string> = {};
  for (const name in call.headers) {
    if (connectionHeaders.has(name) || name.startsWith("aimass-") || name.startsWith("x-forwarded-")) continue;
    if (name === "forwarded") continue;
    headers[name] = call.headers[name] as string;
  }
  if (headers.te !== undefined) headers.te = "trailers";
  headers["x-forwarded-for"] = addresses.of(call);
  headers["x-forwarded-host"] = call.authority;
  headers["x-forwarded-proto"] = addresses.isSecure(call) ? "https" : "http";
  headers.traceparent = traceparent;
  return headers;
}

/** What a caller is told of an answer's headers. */
export function answerHeaders(headers: HeaderFields): HeaderFields {
  const kept: Record<string, string> = {};
  for (const name in headers) if (!connectionHeaders.has(name)) kept[name] = headers[name] as string;
  return kept;
}
