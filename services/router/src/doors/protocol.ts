import type { AimassError } from "@aimass/core";
import type { Answer, HeaderFields, ServerCall } from "@aimass/h2";
import { encodeRestError, httpStatus } from "@aimass/oip";
import { connectErrorBody, errorTrailers } from "./rpc-status.ts";

/** How a caller speaks. */
export type Protocol = "grpc" | "grpc-web" | "grpc-web-text" | "connect" | "rest";

/** Tells the protocol by the content type; `isRpc` says whether the path is one of an RPC. */
export function protocolOf(call: ServerCall, isRpc: boolean): Protocol {
  const type = call.headers["content-type"] ?? "";
  if (type.startsWith("application/grpc")) {
    if (type.startsWith("application/grpc-web-text")) return "grpc-web-text";
    return type.startsWith("application/grpc-web") ? "grpc-web" : "grpc";
  }
  return isRpc ? "connect" : "rest";
}

/** Answers with an error as the caller's protocol has it. */
export function answerError(call: ServerCall, error: AimassError, protocol: Protocol): void {
  if (protocol === "rest") call.respond(encodeRestError(error));
  else answerStatus(call, protocol, errorTrailers(error), httpStatus(error));
}

/** Answers an RPC with the trailers of an error alone. */
export function answerStatus(
  call: ServerCall,
  protocol: Protocol,
  trailers: HeaderFields,
  connectStatus?: number,
): void {
  if (protocol === "connect" || protocol === "rest") {
    call.respond(connectError(trailers, connectStatus));
    return;
  }
  const contentType = grpcContentType(protocol, codecOf(call.headers["content-type"]) ?? "proto");
  call.respond({ status: 200, headers: { "content-type": contentType, ...trailers } });
}

function connectError(trailers: HeaderFields, status: number | undefined): Answer {
  const { code, body } = connectErrorBody(trailers);
  const retryAfter = trailers["retry-after"];
  return {
    status: status ?? httpStatus({ code, reason: undefined }),
    headers: { "content-type": "application/json", ...(retryAfter !== undefined && { "retry-after": retryAfter }) },
    body,
  };
}

/** How the messages of a gRPC or gRPC-Web call are encoded. */
export type Codec = "proto" | "json";

/** The codec that a content type of gRPC or gRPC-Web names; undefined for one that is not known here. */
export function codecOf(contentType: string | undefined): Codec | undefined {
  const [, subtype = "proto"] = (contentType?.split(";", 1)[0] ?? "").trim().split("+");
  return subtype === "proto" || subtype === "json" ? subtype : undefined;
}

/** The content type of answers by gRPC or gRPC-Web. */
export function grpcContentType(protocol: Protocol, codec: Codec): string {
  if (protocol === "grpc") return codec === "proto" ? "application/grpc" : "application/grpc+json";
  return `application/${protocol}+${codec}`;
}
