import { ModelInferRequestSchema, ModelInferResponseSchema } from "@aimass/api/inference";
import { AimassError } from "@aimass/core";
import { fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";

/** What the doors turn into something else: requests in JSON, answers into JSON, and base64 both ways, as gRPC-Web's text form has it. */
export type Transcoding = "request from JSON" | "answer to JSON" | "from base64" | "to base64";

/** Transcodes here and now. Throws INVALID_ARGUMENT for what is no request in JSON. */
export function transcode(what: Transcoding, bytes: Uint8Array): Uint8Array {
  switch (what) {
    case "request from JSON":
      return requestFromJson(bytes);
    case "answer to JSON":
      return Buffer.from(toJsonString(ModelInferResponseSchema, fromBinary(ModelInferResponseSchema, bytes)));
    case "from base64":
      return Buffer.from(viewOf(bytes).toString("latin1"), "base64");
    case "to base64":
      return Buffer.from(viewOf(bytes).toString("base64"), "latin1");
  }
}

function requestFromJson(bytes: Uint8Array): Uint8Array {
  try {
    return toBinary(
      ModelInferRequestSchema,
      fromJsonString(ModelInferRequestSchema, viewOf(bytes).toString("utf8"), { ignoreUnknownFields: true }),
    );
  } catch (cause) {
    throw new AimassError("INVALID_ARGUMENT", `The body is no ModelInferRequest in JSON: ${(cause as Error).message}`, {
      reason: "BAD_JSON",
      cause,
    });
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
