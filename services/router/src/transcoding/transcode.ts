import { ModelInferResponseSchema } from "@aimass/api/inference";
import { inferRequestFromJson } from "@aimass/oip";
import { fromBinary, toJsonString } from "@bufbuild/protobuf";

/** What the doors turn into something else: requests in JSON, answers into JSON, and base64 both ways, as gRPC-Web's text form has it. */
export type Transcoding = "request from JSON" | "answer to JSON" | "from base64" | "to base64";

/** Transcodes here and now. Throws INVALID_ARGUMENT for what is no request in JSON. */
export function transcode(what: Transcoding, bytes: Uint8Array): Uint8Array {
  switch (what) {
    case "request from JSON":
      return inferRequestFromJson(bytes);
    case "answer to JSON":
      return Buffer.from(toJsonString(ModelInferResponseSchema, fromBinary(ModelInferResponseSchema, bytes)));
    case "from base64":
      return Buffer.from(viewOf(bytes).toString("latin1"), "base64");
    case "to base64":
      return Buffer.from(viewOf(bytes).toString("base64"), "latin1");
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
