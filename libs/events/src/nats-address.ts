import type { ConnectionOptions } from "nats";

/**
 * Reads NATS_URL: one or more "nats://[user:password@]host:port" (or a token as the user alone), "tls://…" for TLS, separated by commas. Credentials count from the first.
 */
export function natsAddress(text: string): Pick<ConnectionOptions, "servers" | "user" | "pass" | "token" | "tls"> {
  const urls = text.split(",").map((part) => parse(part.trim()));
  const first = urls[0] as URL;
  const user = decodeURIComponent(first.username);
  const pass = decodeURIComponent(first.password);
  return {
    servers: urls.map((url) => url.host),
    ...(user !== "" && pass !== "" ? { user, pass } : {}),
    ...(user !== "" && pass === "" ? { token: user } : {}),
    ...(first.protocol === "tls:" ? { tls: {} } : {}),
  };
}

function parse(text: string): URL {
  const url = URL.parse(text.includes("://") ? text : `nats://${text}`);
  if (url === null || url.host === "")
    throw new RangeError(`"${text}" is no NATS address; one looks like nats://127.0.0.1:4222.`);
  return url;
}
