import type { ServerCall } from "@aimass/h2";

/** Largest body of a caller without a credential, where nothing is granted to all: signing in takes less. */
export const strangerBytes = 64 * 1024;

/** Whether a body is declared as large, or may unfold to be, for calls that need no credential. */
export function mayBecomeLarge({ headers, path }: ServerCall): boolean {
  if (Number(headers["content-length"] ?? 0) > strangerBytes) return true;
  const isCompressed = [headers["grpc-encoding"], headers["content-encoding"]].some(
    (encoding) => encoding !== undefined && encoding !== "identity",
  );
  return isCompressed && !path.startsWith("/aimass.auth.v1.SessionService/");
}
