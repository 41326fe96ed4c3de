import { AimassError, codeFromNumber } from "@aimass/core";
import type { DescMethod } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { type Client, connectivityState, type ServiceError } from "@grpc/grpc-js";
import { findDetail, fromConnectError } from "./error-mapping.ts";

export interface FailedCall {
  readonly method: DescMethod;
  readonly timeoutMs: number | undefined;
  readonly channel: Client;
  readonly signal: AbortSignal | undefined;
}

/** What a failed call means to the caller: the server's own words when it spoke, else what became of the connection. */
export function callError(error: unknown, call: FailedCall): AimassError {
  if (!isServiceError(error)) return AimassError.from(error);
  if (call.signal?.aborted) return AimassError.from(asAbort(call.signal.reason));
  const spoken = serverError(error);
  if (spoken !== undefined) return spoken;
  const code = codeFromNumber(error.code);
  const service = call.method.parent.typeName;
  const connected = call.channel.getChannel().getConnectivityState(false) === connectivityState.READY;
  if (code === "UNAVAILABLE" || (code === "DEADLINE_EXCEEDED" && !connected)) {
    return new AimassError("UNAVAILABLE", `${service} cannot be reached.`, { reason: "UNREACHABLE", cause: error });
  }
  if (code === "DEADLINE_EXCEEDED") {
    const after = call.timeoutMs === undefined ? "in time" : `within ${call.timeoutMs} ms`;
    return new AimassError("DEADLINE_EXCEEDED", `${service} did not answer ${after}.`, { cause: error });
  }
  return new AimassError(code, error.details, { cause: error });
}

/** The error the server sent, recognised by its detail; undefined when grpc-js made it up. */
function serverError(error: ServiceError): AimassError | undefined {
  const trailer = new Headers({ "grpc-status": String(error.code), "grpc-message": encodeURIComponent(error.details) });
  for (const [name, value] of Object.entries(error.metadata.getMap())) {
    trailer.set(name, typeof value === "string" ? value : value.toString("base64"));
  }
  const found = findTrailerError(trailer);
  if (found === undefined || findDetail(found) === undefined) return undefined;
  const withMetadata = new ConnectError(found.rawMessage, found.code, trailer);
  withMetadata.details = found.details;
  return fromConnectError(withMetadata);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "details" in error && "metadata" in error && "code" in error;
}

function asAbort(reason: unknown): unknown {
  if (reason instanceof AimassError) return reason;
  if (reason instanceof Error && reason.name === "TimeoutError") return reason;
  return new DOMException("The operation was aborted.", "AbortError");
}
