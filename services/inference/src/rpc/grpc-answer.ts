import { ErrorDetailSchema } from "@aimass/api/common";
import { type AimassError, statusCodes } from "@aimass/core";
import type { HeaderFields, ServerCall } from "@aimass/h2";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";

const contentType = { "content-type": "application/grpc" };

/** Answers a unary call with a framed message (5-byte prefix included), whole or in pieces. */
export function answerGrpc(call: ServerCall, framed: Uint8Array | readonly Uint8Array[], trailers: HeaderFields): void {
  call.respond({ status: 200, headers: contentType, body: framed, trailers: { "grpc-status": "0", ...trailers } });
}

/** Answers with an error alone: one header block, as gRPC's Trailers-Only has it. */
export function answerGrpcError(call: ServerCall, error: AimassError, trailers: HeaderFields = {}): void {
  call.respond({ status: 200, headers: { ...contentType, ...trailers, ...errorTrailers(error) } });
}

/**
 * The trailers of an error: status, the message with its remedy, ErrorDetail, when to try again.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export function errorTrailers(error: AimassError): Record<string, string> {
  const trailers: Record<string, string> = {
    "grpc-status": String(statusCodes[error.code]),
    "grpc-message": percentEncode(error.advice),
    "grpc-status-details-bin": Buffer.from(statusDetails(error)).toString("base64").replace(/=+$/, ""),
  };
  if (error.retryAfterMs !== undefined) trailers["grpc-retry-pushback-ms"] = String(Math.round(error.retryAfterMs));
  return trailers;
}

/** Bytes outside printable ASCII, and "%", as %XX of their UTF-8. */
export function percentEncode(message: string): string {
  let text = "";
  for (const byte of Buffer.from(message, "utf8")) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

/** google.rpc.Status {code 1, message 2, details 3: Any {type_url 1, value 2}}. */
function statusDetails(error: AimassError): Uint8Array {
  const { reason = "", field = "", remedy = "" } = error;
  const detail = toBinary(ErrorDetailSchema, create(ErrorDetailSchema, { reason, field, remedy }));
  const any = new BinaryWriter()
    .tag(1, 2)
    .string(`type.googleapis.com/${ErrorDetailSchema.typeName}`)
    .tag(2, 2)
    .bytes(detail)
    .finish();
  return new BinaryWriter()
    .tag(1, 0)
    .int32(statusCodes[error.code])
    .tag(2, 2)
    .string(error.advice)
    .tag(3, 2)
    .bytes(any)
    .finish();
}
