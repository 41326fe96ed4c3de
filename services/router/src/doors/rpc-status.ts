import { ErrorDetailSchema } from "@aimass/api/common";
import { type AimassError, type Code, codeFromNumber, statusCodes } from "@aimass/core";
import type { HeaderFields } from "@aimass/h2";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { percentDecode } from "../pipeline/outcome.ts";

/** The trailers of a call that went well, but for the caller's own. */
export const okTrailers: HeaderFields = Object.freeze({ "grpc-status": "0" });

/** An error as gRPC's trailers: status, the message with its remedy, ErrorDetail, when to try again. */
export function errorTrailers(error: AimassError): Record<string, string> {
  const trailers: Record<string, string> = {
    "grpc-status": String(statusCodes[error.code]),
    "grpc-message": percentEncode(error.advice),
    "grpc-status-details-bin": Buffer.from(statusBytes(error)).toString("base64").replace(/=+$/, ""),
  };
  if (error.retryAfterMs === undefined) return trailers;
  // gRPC's proposal A6: not before so many milliseconds.
  trailers["grpc-retry-pushback-ms"] = String(Math.max(0, Math.round(error.retryAfterMs)));
  trailers["retry-after"] = String(Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
  return trailers;
}

/** gRPC's trailers as an error of Connect: its JSON body. */
export function connectErrorBody(trailers: HeaderFields): { code: Code; body: Buffer } {
  const code = codeFromNumber(Number(trailers["grpc-status"]));
  const details = readDetails(trailers["grpc-status-details-bin"]);
  const json = {
    code: code === "CANCELLED" ? "canceled" : code.toLowerCase(),
    message: percentDecode(trailers["grpc-message"] ?? ""),
    ...(details.length > 0 && { details }),
  };
  return { code, body: Buffer.from(JSON.stringify(json)) };
}

const plainMessage = /^[\x20-\x24\x26-\x7e]*$/;

/** Bytes outside printable ASCII, and "%", as %XX of their UTF-8. */
function percentEncode(message: string): string {
  if (plainMessage.test(message)) return message;
  let text = "";
  for (const byte of Buffer.from(message, "utf8")) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    text += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

/** google.rpc.Status {code 1, message 2, details 3: Any {type_url 1, value 2}}. */
function statusBytes(error: AimassError): Uint8Array {
  const { reason = "", field = "", remedy = "" } = error;
  const detail = toBinary(ErrorDetailSchema, create(ErrorDetailSchema, { reason, field, remedy }));
  const typeUrl = `type.googleapis.com/${ErrorDetailSchema.typeName}`;
  const any = new BinaryWriter().tag(1, 2).string(typeUrl).tag(2, 2).bytes(detail).finish();
  const status = new BinaryWriter().tag(1, 0).int32(statusCodes[error.code]);
  return status.tag(2, 2).string(error.advice).tag(3, 2).bytes(any).finish();
}

interface ConnectDetail {
  readonly type: string;
  readonly value: string;
}

function readDetails(text: string | undefined): ConnectDetail[] {
  if (text === undefined) return [];
  const details: ConnectDetail[] = [];
  try {
    const reader = new BinaryReader(Buffer.from(text, "base64"));
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 3) details.push(readAny(reader.bytes()));
      else reader.skip(wireType, field);
    }
  } catch {
    return [];
  }
  return details;
}

function readAny(bytes: Uint8Array): ConnectDetail {
  const reader = new BinaryReader(bytes);
  let type = "";
  let value = "";
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) type = reader.string().replace(/^.*\//, "");
    else if (field === 2) value = Buffer.from(reader.bytes()).toString("base64").replace(/=+$/, "");
    else reader.skip(wireType, field);
  }
  return { type, value };
}
